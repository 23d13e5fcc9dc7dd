"""The launcher ``local``: figures of the basic launcher, and jobs that break."""

import shlex

import pytest

from vae_lab.runs.sweep import Sweep

SHORT = (
    *("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2"),
    "threads=1",
)


def figures(directory):
    return {run.name: run.result.metrics for run in Sweep.read(directory).runs}


def test_figures_are_those_of_the_basic_launcher(cli, tmp_path):
    for launcher in ("basic", "local"):
        done = cli("-m", f"hydra/launcher={launcher}", *SHORT, "model=vae,bn_vae", f"hydra.sweep.dir={launcher}")
        assert done.code == 0, done.err
    assert figures(tmp_path / "local") == figures(tmp_path / "basic")
    curves = {run.name: run.curves for run in Sweep.read(tmp_path / "local").runs}
    assert curves == {run.name: run.curves for run in Sweep.read(tmp_path / "basic").runs}
    assert "launcher local: " in done.out
    command = done.out.rpartition("next: ")[2]
    assert "hydra/launcher=local" in shlex.split(command)


DYING = """
import os
from vae_lab.networks import MLPEncoder


class Dying(MLPEncoder):
    def forward(self, x):
        if self.training and len(x) > 50:  # in the first step, which a check does not take
            os._exit(7)
        return super().forward(x)
"""


@pytest.fixture
def with_dying(cli, importable):
    """Sweeps an encoder on one worker that ends its process in the training of batches of more than 50 images."""
    importable("dying", DYING)
    one = ("-m", "hydra/launcher=local", "hydra.launcher.devices=1", "--allow", "dying", *SHORT)
    return lambda *swept: cli(*one, "encoder._target_=dying.Dying", "hydra.sweep.dir=s", *swept)


def test_a_worker_that_dies_costs_its_job_only(with_dying, tmp_path):
    done = with_dying("seed=0,1,2", "data.batch_size=64,32")
    assert done.code == 1
    sweep = Sweep.read(tmp_path / "s")
    assert [run.status for run in sweep.runs if run.overrides["data.batch_size"] == 64] == ["stopped"] * 3
    assert [run.status for run in sweep.runs if run.overrides["data.batch_size"] == 32] == ["finished"] * 3
    assert done.out.count("failed: its process ended with exit code 7") == 3


def test_settings_that_do_not_fit_the_machine_are_one_line(cli):
    done = cli("-m", "hydra/launcher=local", "hydra.launcher.devices=[9]", *SHORT, "seed=0,1")
    assert done.code == 1
    assert "hydra.launcher.devices=[9]: no GPU was found on this machine" in done.err
    assert "Traceback" not in done.err


def test_many_jobs_get_the_local_launcher_unless_one_is_named(cli, monkeypatch):
    monkeypatch.setattr("vae_lab.sweep.slots.usable_cores", lambda: [0, 1])
    few, many = ("seed=0,1", "seed=0,1,2,3,4")
    assert "launcher local" not in cli("-m", *SHORT, few, "hydra.sweep.dir=few").out
    assert "launcher local" not in cli("-m", *SHORT, many, "hydra/launcher=basic", "hydra.sweep.dir=named").out
    done = cli("-m", *SHORT, many, "hydra.sweep.dir=many")
    assert done.code == 0, done.err
    assert "launcher local: 2 CPU workers, 1 thread each\n" in done.out
    monkeypatch.setattr("vae_lab.sweep.slots.usable_cores", lambda: [0])
    assert "launcher local" not in cli("-m", *SHORT, many, "hydra.sweep.dir=alone").out


def test_fail_fast_begins_no_job_after_one_has_failed(with_dying, tmp_path):
    done = with_dying("fail_fast=true", "data.batch_size=32,64,33,34")
    assert done.code == 1
    assert "fail_fast=true ended the sweep there" in done.err
    assert sorted(run.overrides["data.batch_size"] for run in Sweep.read(tmp_path / "s").runs) == [32, 64]


def test_a_sweep_of_which_nothing_is_left_ends_well(cli):
    local = ("-m", "hydra/launcher=local")
    assert cli(*local, *SHORT, "seed=0,1", "hydra.sweep.dir=s").code == 0
    done = cli(*local, "resume=s")
    assert done.code == 0, done.err
    assert "2 have ended and are kept, 0 to go" in done.out
