"""The proposed commands: each runs as it is printed, with the options of the person who made the run."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from vae_lab.config.build import allowing
from vae_lab.config.compose import compose_config
from vae_lab.console import read_command_line
from vae_lab.report.commands import after_run, after_sweep, arguments_of, retry
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.runs.sweep import Sweep, SweepRecord
from vae_lab.training.run import check

SHORT = ("trainer.max_steps=4", "trainer.val_check_interval=4", "trainer.log_every_n_steps=2", "metrics.test.nll.k=2")

CHANGES = [  # what the causes of a collapse propose
    {"model.distortion_reduction": "sum"},
    {"model.distortion_reduction": "sum", "model.beta": 1.0},
    {"decoder": "mlp"},
    {"likelihood": "gaussian_learned"},
    {"likelihood": "gaussian_learned", "model.beta": 1.0},
    {"model": "beta_vae"},
    {"model": "beta_vae", "model.beta": 0.1},
    {"trainer.max_steps": 200},
    {"free_bits": "total", "free_bits.epsilon": 2.0},
    {"annealing": "linear", "annealing.steps": 100},
    {"annealing": "linear"},
    {"optimizer.lr": 1e-5},
]
MADE_BY = [
    [],
    ["+experiment=remedies", "+remedy=free_bits"],
    ["+experiment=zero_kl", "+case=averaged_free_bits"],
    ["+experiment=binarized_mnist", "data=digits", "epochs=3"],
    ["decoder=pixelcnn", "decoder.reach=2", "decoder.skip=false"],
    ["model=delta_vae", "model.delta=2", "model.latent_dim=8"],
    ["likelihood=gaussian", "likelihood.variance=1"],
    ["annealing=cyclical", "annealing.cycles=2", "+optimizer.weight_decay=0.1"],
]


def printed(command):
    """The command line as ``vae_lab`` reads it, once a shell has."""
    python, m, module, *arguments = shlex.split(command)
    assert (python, m, module) == ("python", "-m", "vae_lab")
    return read_command_line(arguments)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: ",".join(change))
@pytest.mark.parametrize("overrides", MADE_BY, ids=" ".join)
def test_what_is_tried_next_passes_every_check(overrides, change):
    command = retry(overrides, change)
    if command is None:  # a model without that setting
        assert any("." in key for key in change)
        return
    config = compose_config(printed(command).overrides)
    if not ("model" in change and "anticausal" in overrides):
        check(config)
    for key, value in change.items():
        group, _, name = key.partition(".")
        assert not name or config[group][name] == value


def test_a_change_that_fits_is_always_proposed():
    assert all(retry([], change) for change in CHANGES)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Networks, settings and images of one's own, under a path that a shell would split."""
    folder = tmp_path / "it's mine, 数据"
    (folder / "encoder").mkdir(parents=True)
    (folder / "encoder" / "mine.yaml").write_text("_target_: fuzz_nets.Mine\nhidden: [8]\n")
    (tmp_path / "fuzz_nets.py").write_text("from vae_lab.networks import MLPEncoder\n\n\nclass Mine(MLPEncoder): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    np.savez(folder / "images.npz", images=np.random.default_rng(0).random((40, 8, 8)).astype(np.float32))
    path = str(folder / "images.npz").replace("'", "\\'")
    overrides = ["data=npz", f"data.path='{path}'", "data.batch_size=4", "encoder=mine"]
    return ["--allow=fuzz_nets", f"--config-dir={folder}"], overrides


def test_a_run_s_own_options_are_kept(cli, own, tmp_path):
    options, overrides = own
    outcome = cli(*options, *overrides, *SHORT)
    assert outcome.code == 0, outcome.err
    (run,) = (file.parent for file in tmp_path.glob("outputs/*/result.json"))
    assert arguments_of(run) == [*options, *overrides, *SHORT]
    command = retry(arguments_of(run), {"trainer.max_steps": 8, "annealing": "linear"})
    line = printed(command)
    assert (line.shared, line.overrides[:4]) == (options, overrides)
    with allowing(line.modules):
        check(compose_config(line.overrides, line.config_dir))


def test_a_sweep_s_own_options_are_kept(cli, own, tmp_path):
    options, overrides = own
    outcome = cli(*options, "-m", *overrides, *SHORT, "model.beta=1,4")
    assert outcome.code == 0, outcome.err
    (command,) = (said.removeprefix("next: ") for said in outcome.out.splitlines() if said.startswith("next: "))
    line = printed(command)
    assert (line.shared, line.flags) == (options, ["-m"])
    assert line.overrides == [*overrides, *SHORT, "model.beta=1,4", "seed=0,1,2"]
    again = cli(*shlex.split(command)[3:])
    assert again.code == 0, again.err
    assert len(list(tmp_path.glob("multirun/*/*/result.json"))) == 2 + 6
    assert "\nnext: python -m vae_lab.diagnose" in again.out or "\nnext: python -m vae_lab.evaluate" in again.out


def made(directory: Path, **fields) -> Run:
    (directory / ".hydra").mkdir(parents=True)
    (directory / ".hydra" / "overrides.yaml").write_text("- optimizer.lr=0.5\n- model.beta=${seed}\n")
    (directory / ".hydra" / "config.yaml").write_text("optimizer: {lr: 0.5}\n")
    return Run(directory, Result(seed=0, latent_dim=4, **fields))


def test_a_run_that_diverged_is_diagnosed(tmp_path):
    run = made(tmp_path / "run", status="diverged")
    assert after_run(run) == f"python -m vae_lab.diagnose run={run.directory}"


def test_nothing_is_proposed_where_there_is_nothing_to_do(tmp_path):
    assert after_run(made(tmp_path / "failed", status="failed")) is None
    assert after_sweep(Sweep(tmp_path, None, []), seeded=True) is None


@pytest.mark.parametrize(
    ("status", "jobs", "asks"), [("finished", ["a"], True), ("failed", ["a"], False), ("finished", ["a", "b"], False)]
)
def test_a_sweep_that_can_go_on_asks_for_no_seeds(tmp_path, status, jobs, asks):
    one = made(tmp_path / "a", status=status, verdict="none", metrics={"test/elbo": -10.0})
    one.directory.mkdir(exist_ok=True)
    one.result.write(one.directory)
    record = SweepRecord(swept=["model.beta"], arguments=["model.beta=1,4"], started="", jobs=jobs)
    assert ("seed=" in (after_sweep(Sweep(tmp_path, record, [one]), seeded=False) or "")) == asks


def test_the_last_command_names_a_run_that_exists(tmp_path):
    fields = {"status": "finished", "metrics": {"test/elbo": -10.0}}
    good = made(tmp_path / "a b", verdict="none", **fields)
    bad = made(tmp_path / "c", verdict="full", unused=4, **fields)
    assert shlex.split(after_sweep(Sweep(tmp_path, None, [good]), seeded=True))[-2:] == [
        f"run={good.directory}",
        "k=5000",
    ]
    assert after_sweep(Sweep(tmp_path, None, [good, bad]), seeded=True).endswith(
        f"vae_lab.diagnose run={bad.directory}"
    )
