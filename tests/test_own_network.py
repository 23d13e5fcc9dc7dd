"""A person's own network, from docs/extending.md: chosen by --config-dir, allowed by --allow."""

import subprocess
import sys
from pathlib import Path

import pytest

import vae_lab

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def block(name: str) -> str:
    """docs/extending.md's code block whose first line names this file."""
    text = PAGE.read_text()
    for part in text.split("```")[1::2]:
        body = part.partition("\n")[2]
        if body.startswith(f"# {name}"):
            return body
    raise AssertionError(f"docs/extending.md has no block for {name}")


@pytest.fixture
def project(tmp_path):
    """A person's directory as docs/extending.md lays it out."""
    (tmp_path / "my_nets.py").write_text(block("my_nets.py"))
    (tmp_path / "my_conf" / "encoder").mkdir(parents=True)
    (tmp_path / "my_conf" / "encoder" / "residual.yaml").write_text(block("my_conf/encoder/residual.yaml"))
    return tmp_path


def call(place: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=place, check=False)


SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "metrics.test.nll.k=2")


def test_own_network_trains_evaluates_and_loads(project, monkeypatch):
    arguments = ("--config-dir", "my_conf", "--allow", "my_nets", "encoder=residual", *SHORT)
    done = call(project, "vae_lab", *arguments)
    assert done.returncode == 0, done.stderr
    done = call(project, "vae_lab.evaluate", "run=latest", "--allow", "my_nets", "k=2")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project))
    assert type(vae_lab.load("latest", allow=["my_nets"]).encoder).__module__ == "my_nets"
    with pytest.raises(ValueError, match="allow a module of your own by --allow NAME"):
        vae_lab.load("latest")


def test_own_network_is_refused_without_allow(project):
    done = call(project, "vae_lab", "--config-dir", "my_conf", "encoder=residual", *SHORT)
    assert done.returncode == 1
    assert "encoder._target_=my_nets.ResidualEncoder: must lie under" in done.stderr
    assert "allow a module of your own by --allow NAME" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2 * latent_dim", "3 * latent_dim", "encoder: gives"),
        ("return", "return x #", "encoder: "),
        ("x.flatten(1)", "x.flatten(9)", "encoder: fails on images (2, 1, 8, 8): IndexError"),
    ],
)
def test_a_network_of_wrong_shape_is_refused_before_training(project, old, new, message):
    source = (project / "my_nets.py").read_text()
    assert old in source
    (project / "my_nets.py").write_text(source.replace(old, new))
    done = call(project, "vae_lab", "--config-dir", "my_conf", "--allow", "my_nets", "encoder=residual", *SHORT)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
