"""The check before a sweep: once for jobs that differ in seeds only, in the workers where there are some."""

import os
import subprocess
import sys

import pytest

from vae_lab.checks import ConfigError
from vae_lab.config.loader import hydra_config
from vae_lab.sweep.checking import check_jobs
from vae_lab.training import run

SHORT = (
    *("trainer.max_steps=4", "trainer.val_check_interval=2", "trainer.log_every_n_steps=2", "metrics.test.nll.k=0"),
    "threads=1",
)


def test_seeds_share_a_check(monkeypatch):
    checked = []
    monkeypatch.setattr(run, "check", lambda config: checked.append(config["model"]["latent_dim"]) or ["late"])
    jobs = [[f"model.latent_dim={size}", f"seed={seed}"] for size in (2, 3) for seed in range(3)]
    assert check_jobs(map(hydra_config, jobs)) == [["late"]] * 6
    assert checked == [2, 3]


def test_a_seed_that_is_none_is_found():
    with pytest.raises(ConfigError, match="seed=-1: "):
        check_jobs(map(hydra_config, [["seed=0"], ["seed=-1"]]))


def test_a_mistake_reads_alike_with_every_launcher(cli, tmp_path):
    said = []
    for launcher in ("basic", "local"):
        told = ("-m", f"hydra/launcher={launcher}", *SHORT, f"hydra.sweep.dir={launcher}", "data.batch_size=64,0,-1")
        done = cli(*told)
        assert done.code == 1
        said.append(done.err)
        assert not list((tmp_path / launcher).glob("*/result.json"))
    assert said[0] == said[1]
    assert "data.batch_size=0: " in said[0]


def test_the_command_of_a_local_sweep_imports_no_torch(tmp_path):
    arguments = ["vae_lab", "-m", "hydra/launcher=local", "hydra.launcher.devices=1", *SHORT, "seed=0,1"]
    program = f"import sys; sys.argv = {arguments}; from vae_lab.cli import main; main(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"
