"""The theory command: water-filling on a person's own data, as a table and a figure."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest

EIGENVALUES = np.array([4, 2, 1, 0.5, 0.2, 0.1])


def call(*arguments, cwd):
    command = [sys.executable, "-m", "vae_lab.theory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with data whose training covariance has the fixture's eigenvalues."""
    folder = tmp_path_factory.mktemp("theory")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 6))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / len(x))).T * np.sqrt(EIGENVALUES)
    images = x.reshape(-1, 2, 3)
    np.savez(folder / "a.npz", x_train=images, x_val=images[:50], x_test=images[:50])
    return folder


def test_table_holds_the_fixture(place):
    done = call(
        "data=npz", "data.path=a.npz", "model.latent_dim=5", "likelihood.variance=0.3", "model.beta=2", cwd=place
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if " of 5" in line}
    assert rows["1"] == ["1", "4", "4", "of", "5", "0.3", "3.101", "1.500"]
    assert rows["2"] == ["2", "*", "3", "3", "of", "5", "0.6", "1.806", "2.600"]
    assert "linear limit: from β = 13.33 on" in done.stdout
    assert (place / "theory.png").stat().st_size > 10_000


def test_bernoulli_counts_directions_only(tmp_path):
    done = call("data=digits", "likelihood=bernoulli", "figure=mine.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "it holds near the collapsed state" in done.stdout
    assert "linear limit: from β = 3.282 on" in done.stdout
    assert "squared" not in done.stdout
    assert (tmp_path / "mine.png").is_file()


def test_a_learnt_variance_has_a_column_and_its_own_limit(place):
    done = call("data=npz", "data.path=a.npz", "model.latent_dim=3", "likelihood=gaussian_learned", cwd=place)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if " of 3" in line}
    assert rows["1"] == ["1", "*", "4", "3", "of", "3", "0.2667", "0.2667", "3.022", "1.600"]
    assert "linear limit: from β = 3.077 (at σ² = 1.3, the variance of a pixel) on" in " ".join(done.stdout.split())
    assert "σ² is learnt" in done.stdout


@pytest.mark.parametrize("command", ["theory", "preview"])
def test_own_settings_and_modules(command, tmp_path):
    """--config-dir and --allow, as the main command takes them."""
    (tmp_path / "my_nets.py").write_text("from vae_lab.networks import MLPEncoder\nclass Mine(MLPEncoder): ...\n")
    (tmp_path / "mine" / "encoder").mkdir(parents=True)
    (tmp_path / "mine" / "encoder" / "mine.yaml").write_text("_target_: my_nets.Mine\nhidden: [8]\n")
    own = ("--config-dir", "mine", "encoder=mine", "data=digits")
    call = partial(subprocess.run, capture_output=True, text=True, cwd=tmp_path, check=False)
    done = call([sys.executable, "-m", f"vae_lab.{command}", *own, "--allow", "my_nets"])
    assert done.returncode == 0, done.stderr
    if command == "preview":
        assert "next: python -m vae_lab --allow=my_nets --config-dir=mine encoder=mine" in done.stdout
    else:
        done = call([sys.executable, "-m", "vae_lab.theory", *own])
        assert done.stderr.startswith("error: encoder._target_=my_nets.Mine: must lie under")


@pytest.mark.parametrize("part", ["decoder=pixelcnn", "likelihood=discretized_logistic likelihood.levels=17"])
def test_parts_without_a_linear_theory_are_refused(part, tmp_path):
    done = call("data=digits", *part.split(), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the linear prediction holds for")
    assert len(done.stderr.splitlines()) == 1


def test_mistakes_are_one_line(tmp_path):
    done = call("data=digits", "model.bet=1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: model.bet=1: model=beta_vae has no bet (did you mean beta?); it has latent_dim"
    )
    assert len(done.stderr.splitlines()) == 1
