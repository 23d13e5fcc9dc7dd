"""What a sweep refuses before it begins, and what its runs are called."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from vae_lab.checks import ConfigError
from vae_lab.config.names import LONGEST_NAME, job_name
from vae_lab.runs.lock import holding
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.directory import check_names

SHORT = ("trainer.max_steps=4", "trainer.val_check_interval=4", "trainer.log_every_n_steps=2", "metrics.test.nll.k=2")

MISTAKES = {
    "empty range": (["-m", "model.beta=range(3,1)"], "model.beta=range(3,1): has no values"),
    "endless range": (["-m", "seed=range(0,1000000000)"], "seed=range(0,1000000000): has more than 10000 values"),
    "too many": (["-m", "seed=range(0,999)", "model.beta=range(0,999)"], "998001 runs are too many for one sweep"),
    "no steps": (["-m", "model.beta=range(1,4,0)"], "model.beta=range(1,4,0)"),
    "one value twice": (["-m", "model.beta=1,1.0"], "model.beta=1,1.0: has 1.0 twice"),
    "one option twice": (["-m", "model=vae,vae"], "model=vae,vae: has vae twice"),
    "interval": (["-m", "model.beta=interval(0,1)"], "model.beta=interval(0,1): cannot be swept"),
    "setting of the other": (
        ["-m", "model=beta_vae,vae", "model.beta=1,2"],
        "model.beta=1: model=vae has no beta; it is a setting of model=beta_tcvae or beta_vae",
    ),
    "without -m": (["model.beta=1,2"], "model.beta=1,2: has several values: add -m to run each of them"),
    "range without -m": (["seed=range(0,3)"], "seed=range(0,3): has several values: add -m"),
    "one folder": (["-m", "seed=0,1", "hydra.sweep.subdir=one"], "two runs would share the directory"),
    "folder above": (
        ["-m", "seed=0", "hydra.sweep.subdir=../one"],
        "hydra.sweep.subdir=../one: must be the name of one",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_sweep_that_cannot_be_is_refused(cli, tmp_path, arguments, message):
    outcome = cli(*arguments)
    assert outcome.code == 1
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not list(tmp_path.rglob("*.json"))


def test_true_and_one_are_two_values(cli):
    assert "has true twice" not in cli("-m", "seed=1,true", *SHORT).err


def test_runs_are_named_by_what_was_swept(cli, tmp_path):
    images = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
    folder = tmp_path / "a long path, with blanks and 数据集"
    folder.mkdir()
    np.savez(folder / "images.npz", images=images)
    shared = ["data=npz", f"data.path='{folder / 'images.npz'}'", "data.batch_size=4", *SHORT]
    outcome = cli("-m", *shared, "model.beta=1,4")
    assert outcome.code == 0, outcome.err
    (record,) = tmp_path.glob("multirun/*_sweep/sweep.json")
    read = SweepRecord.read(record.parent)
    assert read.jobs == ["model.beta=1", "model.beta=4"]
    assert (read.swept, read.shared) == (["model.beta"], shared)
    assert sorted(path.parent.name for path in record.parent.glob("*/result.json")) == read.jobs
    assert "[1/2] model.beta=1: " in outcome.out
    overrides = json.loads((record.parent / "model.beta=4" / "result.json").read_text())["overrides"]
    assert overrides["data.path"] == str(folder / "images.npz")


def test_a_sweep_of_nothing_is_one_run(cli, tmp_path):
    assert cli("-m", "model.beta=3", *SHORT).code == 0
    assert list(tmp_path.glob("multirun/*/run/result.json"))


def test_a_name_is_cut_by_bytes():
    one, two = (job_name([f"data.path={'数' * 200}{end}"], ["data.path"]) for end in "ab")
    assert one != two
    assert max(len(one.encode()), len(two.encode())) <= LONGEST_NAME


def test_a_folder_that_a_person_named_wins(cli, tmp_path):
    assert cli("-m", "seed=0,1", "hydra.sweep.dir=mine", "hydra.sweep.subdir=job${hydra.job.num}", *SHORT).code == 0
    assert {path.parent.name for path in tmp_path.glob("mine/*/result.json")} == {"job0", "job1"}


def test_a_directory_that_holds_a_run_is_refused(cli, tmp_path):
    assert cli("hydra.run.dir=one", *SHORT).code == 0
    before = {file: file.read_bytes() for file in (tmp_path / "one").rglob("*") if file.is_file()}
    outcome = cli("seed=1", "hydra.run.dir=one", *SHORT)
    assert (outcome.code, outcome.err) == (
        1,
        "error: hydra.run.dir=one: holds a run already; name another directory, or go on with it: resume=one",
    )
    assert {file: file.read_bytes() for file in (tmp_path / "one").rglob("*") if file.is_file()} == before
    assert "holds a sweep already" in cli("-m", "seed=1", "hydra.sweep.dir=one", *SHORT).err


def test_of_two_sweeps_at_once_one_is_refused(cli, tmp_path):
    (tmp_path / "mine").mkdir()
    with holding(tmp_path / "mine"):
        outcome = cli("-m", "seed=0", "hydra.sweep.dir=mine", *SHORT)
    assert (outcome.code, "mine: is being written by process" in outcome.err) == (1, True)
    assert not list(tmp_path.rglob("result.json"))


def test_names_lie_side_by_side(tmp_path):
    for names in (["a", "a"], ["a/b"], [".."], ["/a"], ["a", ""]):
        with pytest.raises(ConfigError):
            check_names(tmp_path, names)
    check_names(tmp_path, ["a", "b"])


def test_a_job_of_another_process_may_build_what_the_command_allows():
    """What a launcher's process inherits is the variable alone; what a person's shell holds is not asked."""
    code = (
        "from vae_lab.config.build import allowed_modules, allowing, inherited_modules\n"
        "print('my_nets' in allowed_modules())\n"
        "with allowing(inherited_modules()): print('my_nets' in allowed_modules())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"VAE_LAB_ALLOW": "my_nets"},
    )
    assert done.stdout.split() == ["False", "True"]
