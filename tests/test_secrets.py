"""Secrets of the environment never land in a run directory, a log or a tracker's files."""

import os
import subprocess
import sys

import pytest

CANARY = "c4n4ry" * 7
SECRETS = ("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PASSWORD")
SHORT = ("trainer.max_steps=4", "trainer.val_check_interval=2", "metrics.test.nll.k=2", "threads=1")


def run(directory, *arguments):
    environment = os.environ | dict.fromkeys(SECRETS, CANARY)
    command = [sys.executable, "-m", "vae_lab", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300)


def test_no_file_of_a_sweep_and_nothing_printed_holds_one(tmp_path):
    done = run(tmp_path, "-m", "seed=0,1", *SHORT, "logger=wandb", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert any(path.suffix == ".ckpt" for path in files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("name", SECRETS)
def test_a_config_cannot_read_one(cli, monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, CANARY)
    done = cli("data=mnist", f"data.root=${{oc.env:{name}}}", *SHORT)
    assert done.code == 1
    assert f"{name}: looks like a secret" in done.err
    assert CANARY not in done.out + done.err
    assert not any(CANARY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
