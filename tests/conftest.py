"""Fixtures that all tests share."""

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

DATA = "VAE_LAB_TEST_DATA"


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors: more threads only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """A writable data root with MNIST and FashionMNIST as torchvision wants them."""
    source = os.environ.get(DATA)
    if not source or not (Path(source) / "MNIST" / "raw").is_dir():
        pytest.skip(f"real MNIST is missing: set {DATA} to a folder that holds MNIST/raw/*.gz")
    root = tmp_path_factory.mktemp("data")
    for name in ("MNIST", "FashionMNIST"):
        shutil.copytree(Path(source) / name, root / name)
    return root


@pytest.fixture(scope="session")
def binarized_root() -> Path:
    """The data root that holds the real fixed binarisation of MNIST; nothing is written there."""
    source = os.environ.get(DATA)
    if not source or not (Path(source) / "binarized_mnist" / "binarized_mnist.npz").is_file():
        pytest.skip(f"binarised MNIST is missing: set {DATA} to a folder with binarized_mnist/binarized_mnist.npz")
    return Path(source)


@pytest.fixture
def check_compiles_and_stacks() -> Callable[..., None]:
    """Compares what modules give one by one with the first one compiled, and with all of them under one vmap."""

    def check(models: list[torch.nn.Module], *inputs: torch.Tensor, read: Callable[..., Any] = lambda out: out) -> None:
        torch._dynamo.reset()
        singles = torch.stack([read(model(*inputs)) for model in models])
        compiled = torch.compile(models[0], fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(read(compiled(*inputs)), singles[0])
        params, buffers = torch.func.stack_module_state(models)
        base = copy.deepcopy(models[0]).to("meta")

        def one(params, buffers):
            return read(torch.func.functional_call(base, (params, buffers), inputs))

        torch.testing.assert_close(torch.func.vmap(one)(params, buffers), singles, rtol=1e-5, atol=1e-5)

    return check


class Outcome(NamedTuple):
    """How a command line ended: exit code, what it printed, and what it complained of."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys) -> Callable[..., Outcome]:
    """Runs ``python -m vae_lab ARGUMENTS`` inside this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Outcome:
        from vae_lab.cli import main

        monkeypatch.setattr("sys.argv", ["vae_lab", *arguments])
        monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
        code: Any = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        if isinstance(code, str):
            return Outcome(1, said.out, said.err + code)
        return Outcome(int(code or 0), said.out, said.err)

    return call


@pytest.fixture
def importable(tmp_path, monkeypatch) -> Callable[[str, str], None]:
    """Writes a module that this process and those that it starts can import."""

    def write(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        monkeypatch.syspath_prepend(tmp_path)

    return write


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium (selenium's Chrome); its console's messages are ``get_log("browser")``."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2")


def config_of(*overrides: str) -> dict[str, Any]:
    """The plain config that these overrides compose, with a short training."""
    from vae_lab.config.compose import compose_config

    return compose_config([*SHORT, *overrides])


def same(one: Any, other: Any) -> bool:
    """Whether two checkpoints, or parts of them, are alike in every bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture
def compose_config() -> Callable[..., dict[str, Any]]:
    """Composes a plain config with a short training."""
    return config_of


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """The run directory of a short β-VAE run on digits."""
    from vae_lab.training.run import execute

    directory = tmp_path_factory.mktemp("trained") / "run"
    execute(config_of("model.beta=0.5"), directory, {"model.beta": 0.5})
    return directory
