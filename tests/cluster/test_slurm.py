"""The launcher ``slurm`` against a real SLURM, started here on loopback with fake GPUs; ``make test-cluster``."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from vae_lab.runs.result import Result
from vae_lab.runs.sweep import Sweep

pytestmark = pytest.mark.cluster

GPUS = 2
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch")
SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2")
LONG = ("trainer.max_steps=1500", "trainer.val_check_interval=50", "metrics.test.nll.k=2")  # some seconds
SLURM = ("-m", "threads=1", "hydra.sweep.dir=s", "hydra/launcher=slurm", "hydra.launcher.gres=gpu:1")
WAIT = 120.0


@pytest.fixture(scope="module")
def slurm():
    """A SLURM of one node with two GPUs; gone when the tests are."""
    if missing := [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]:
        pytest.skip(f"no {missing[0]}: apt-get install slurmctld slurmd slurm-client munge")
    if os.geteuid():
        pytest.skip("SLURM's daemons and their devices need root")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    folder.chmod(0o755)  # munge hands its socket to everybody
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1] - 1
    try:
        recipe = Path(__file__).with_name("slurm.sh")
        subprocess.run(["sh", recipe, folder, str(GPUS), str(port)], check=True, timeout=60)
        yield folder / "slurm.conf"
    finally:
        for name in ("slurmd", "slurmctld", "munged"):
            if (file := folder / f"{name}.pid").exists():
                os.kill(int(file.read_text()), signal.SIGTERM)
        time.sleep(1)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ask(slurm):
    """What a command of SLURM prints."""
    environment = os.environ | {"SLURM_CONF": str(slurm)}
    return lambda *command: subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    ).stdout.strip()


@pytest.fixture
def start(slurm, tmp_path, monkeypatch):
    """Starts ``python -m vae_lab`` in an empty directory; returns the process."""
    started = []

    def call(*arguments):
        environment = os.environ | {"SLURM_CONF": str(slurm), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "vae_lab", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def run(start):
    """Runs ``python -m vae_lab`` to its end; returns exit code, output, errors."""

    def call(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=2 * WAIT)
        return process.returncode, out, err

    return call


def until(what, seconds=WAIT):
    """Wait until something is true, and give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen")


def summary(directory):
    """``summary.csv`` but for what depends on the clock and the place."""
    with (directory / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{key: text for key, text in row.items() if key not in ("seconds", "started", "run_dir")} for row in rows]


def result(directory):
    file = directory / "result.json"
    return Result.read(directory) if file.exists() else None


def has_checkpoint(directory):
    return (directory / "checkpoints" / "last.ckpt").exists()


def running(ask):
    return [line.split("|") for line in ask("squeue", "-h", "-r", "-t", "R", "-o", "%i|%A").splitlines()]


def process_of(sweep, name):
    found = until(lambda: (result(sweep / name) or Result(status="running", seed=0)).process)
    return found.pid


def test_a_sweep_is_that_of_the_basic_launcher(run, tmp_path, ask):
    grid = ("model.beta=1,4", "seed=0,1,2", *SHORT)
    code, out, err = run(*SLURM, "hydra.launcher.runs_per_job=2", *grid)
    assert (code, err) == (0, "")
    assert "of 3 jobs, 2 runs each" in out
    assert out.count("; collapse: ") == 6
    assert run("-m", "threads=1", "hydra.sweep.dir=basic", "hydra/launcher=basic", *grid)[0] == 0
    assert summary(tmp_path / "s") == summary(tmp_path / "basic")
    curves = {one.name: one.curves for one in Sweep.read(tmp_path / "s").runs}
    assert curves == {one.name: one.curves for one in Sweep.read(tmp_path / "basic").runs}
    code, out, err = run("-m", "resume=s", "hydra/launcher=slurm")
    assert (code, "6 have ended and are kept, 0 to go" in out) == (0, True), err


def test_a_job_that_is_put_back_into_the_queue_goes_on_from_its_checkpoint(start, run, tmp_path, ask):
    assert run("-m", "threads=1", "hydra.sweep.dir=whole", "hydra/launcher=basic", "seed=0", *LONG)[0] == 0
    parent = start(*SLURM, "seed=0", *LONG)
    here = until(lambda: next(iter((tmp_path / "s").glob("*/result.json")), None)).parent
    until(lambda: has_checkpoint(here))
    job = running(ask)[0][0]
    ask("scontrol", "requeue", job)
    until(lambda: result(here).status == "failed" and "interrupted by SIGTERM" in result(here).reason)
    out, err = parent.communicate(timeout=2 * WAIT)
    assert (parent.returncode, err) == (0, "")
    assert "failed" not in out
    assert "Restarts=1" in ask("scontrol", "show", "job", job)
    once, twice = Sweep.read(tmp_path / "whole").runs[0], Sweep.read(tmp_path / "s").runs[0]
    assert twice.result.metrics == once.result.metrics
    assert twice.curves == once.curves


def test_a_job_at_its_time_limit_goes_on_from_its_checkpoint(start, tmp_path, ask):
    parent = start(*SLURM, "seed=0", *LONG, "hydra.launcher.signal_delay_s=1")
    here = until(lambda: next(iter((tmp_path / "s").glob("*/result.json")), None)).parent
    until(lambda: has_checkpoint(here))
    job = running(ask)[0][0]
    ask("scancel", "--signal=USR2", job)  # as SLURM sends it before the limit
    until(lambda: result(here).status == "failed" and "interrupted by SIGUSR2" in result(here).reason)
    _, err = parent.communicate(timeout=2 * WAIT)
    assert (parent.returncode, err, result(here).status) == (0, "", "finished")
    assert "Restarts=1" in ask("scontrol", "show", "job", job)


def test_a_job_that_is_killed_is_reported_with_its_last_words_and_the_others_go_on(start, run, tmp_path):
    parent = start(*SLURM, "seed=0,1", *LONG)
    os.kill(process_of(tmp_path / "s", "seed=1"), signal.SIGKILL)
    out, err = parent.communicate(timeout=2 * WAIT)
    assert parent.returncode == 1
    assert "[2/2] seed=1: failed: its SLURM job 1" in out or "seed=1: failed: its SLURM job" in out
    assert "Killed" in out
    assert err.startswith("error: 1 of 2 runs failed: seed=1")
    assert "to go on: python -m vae_lab hydra/launcher=slurm hydra.launcher.gres=gpu:1 -m resume=s" in out
    assert [one.status for one in Sweep.read(tmp_path / "s").runs] == ["finished", "failed"]
    code, out, err = run("hydra/launcher=slurm", "-m", "resume=s")
    assert (code, "1 have ended and are kept, 1 to go" in out) == (0, True), err


def test_ctrl_c_cancels_all_jobs(start, tmp_path, ask):
    parent = start(*SLURM, "seed=0,1,2,3", *LONG)
    until(lambda: len(running(ask)) == GPUS)
    until(lambda: len(list((tmp_path / "s").glob("*/result.json"))) == GPUS)
    began = time.monotonic()
    parent.send_signal(signal.SIGINT)
    out, _ = parent.communicate(timeout=30)
    took = time.monotonic() - began
    assert parent.returncode == 128 + signal.SIGINT
    assert "to go on: python -m vae_lab hydra/launcher=slurm hydra.launcher.gres=gpu:1 -m resume=s" in out
    print(f"\nended {took:.1f} s after Ctrl-C")
    assert took < 30  # the command's own 5 s are for a machine that is not busy
    until(lambda: not ask("squeue", "-h"), 25)
    reasons = [str(one.result.reason) for one in Sweep.read(tmp_path / "s").runs]
    assert [reason for reason in reasons if not reason.startswith("interrupted by SIGTERM at step ")] == []


def test_fail_fast_begins_no_run_after_one_has_failed(run, tmp_path, ask):
    (tmp_path / "broken.py").write_text(
        "from vae_lab.networks import MLPEncoder\n\n\nclass Broken(MLPEncoder):\n    def forward(self, x):\n"
        "        if self.training and len(x) > 50:\n            raise RuntimeError('broken')\n"
        "        return super().forward(x)\n"
    )
    own = ("--allow", "broken", "encoder._target_=broken.Broken", "data.batch_size=64,32", "seed=0,1,2,3", *SHORT)
    code, out, err = run(*SLURM, "hydra.launcher.runs_per_job=4", "fail_fast=true", *own)
    assert (code, "fail_fast=true ended the sweep there" in err) == (1, True), err
    assert "failed: RuntimeError: broken" in out
    assert 0 < sum(one.status == "failed" for one in Sweep.read(tmp_path / "s").runs) < 4
    assert not ask("squeue", "-h")


def test_what_slurm_refuses_is_one_line(run):
    code, _, err = run(*SLURM, "hydra.launcher.partition=lost", "seed=0,1", *SHORT)
    assert (code, err) == (1, "error: hydra.launcher.partition=lost: must be one of main\n")
    code, _, err = run(*SLURM[:-1], "hydra.launcher.gres=gpu:9", "seed=0,1", *SHORT)
    assert code == 1
    assert err.startswith("error: hydra.launcher: Batch job submission failed: ")
    assert len(err.splitlines()) == 1


def test_a_run_on_two_devices_starts_its_own_processes_within_a_job(run, tmp_path):
    two = ("trainer=ddp", "trainer.accelerator=cpu", "hydra.launcher.cpus_per_task=2")
    code, out, err = run(*SLURM[:-1], *two, "seed=0", *SHORT)
    assert (code, err) == (0, ""), out
    only = Sweep.read(tmp_path / "s").runs[0]
    assert (only.status, list(only.directory.glob("rank-*.log"))) == ("finished", [])
