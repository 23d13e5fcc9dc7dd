"""The launcher ``ray`` on a real Ray: on this machine, and on a cluster of two nodes that is started on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vae_lab.runs.result import Result
from vae_lab.runs.sweep import Sweep

pytest.importorskip("ray")
pytestmark = pytest.mark.cluster

PATIENCE = 300  # seconds for what takes some on an idle machine
SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "metrics.test.nll.k=0", "trainer.accelerator=cpu")
NODE = ("--block", "--num-cpus=2", "--num-gpus=1", "--disable-usage-stats")
AUTH = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}

# an encoder that notes where it trains, and whose process dies in the first step of batches of 64 images
NOTING = """
import json, os, signal
import ray
from vae_lab.networks import MLPEncoder


class Noting(MLPEncoder):
    def forward(self, x):
        if self.training and len(x) > 20 and not hasattr(self, "noted"):  # a check takes fewer
            self.noted = True
            about = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "node": ray.get_runtime_context().get_node_id()}
            with open(f"{len(x)}_{os.getpid()}.json", "w") as file:
                json.dump(about, file)
            if len(x) == 64:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)
"""


def command(*arguments):
    return [sys.executable, "-m", "vae_lab", "-m", "hydra/launcher=ray", "hydra.sweep.dir=s", *SHORT, *arguments]


def run(folder, *arguments):
    """A sweep in a process of its own: its exit code, and what it printed."""
    done = subprocess.run(
        command(*arguments), cwd=folder, env=os.environ | AUTH, capture_output=True, text=True, timeout=PATIENCE
    )
    return done.returncode, done.stdout, done.stderr


def until(true, words):
    """Wait until something is true.

    Raises:
        TimeoutError: when it takes too long.
    """
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(words)
        time.sleep(0.5)


def descendants(pid):
    """The processes below one, by number."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, found.splitlines())}
    below, more = set(), {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more}
        below |= more
    return below


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in state(pid)]


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return "Z"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of two nodes with two CPUs and one (faked) GPU each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder, ray = tmp_path_factory.mktemp("ray"), [sys.executable, "-m", "ray.scripts.scripts", "start", *NODE]
    nodes = []
    try:
        for own in (["--head", f"--port={port}", "--include-dashboard=false"], [f"--address=127.0.0.1:{port}"]):
            log = folder / f"node{len(nodes)}"
            with log.open("w") as out:
                process = subprocess.Popen([*ray, *own], stdout=out, stderr=out, env=os.environ | AUTH)
            nodes.append(process)
            until(lambda log=log: "Ray runtime started" in log.read_text(), f"{log}: no node")
        yield f"127.0.0.1:{port}"
    finally:
        left = [pid for node in nodes for pid in descendants(node.pid)]
        for node in reversed(nodes):
            node.terminate()
            node.wait(60)
        for pid in alive(left):
            os.kill(pid, signal.SIGKILL)


def test_two_nodes_share_their_gpus_and_a_killed_worker_costs_its_job_only(cluster, tmp_path):
    (tmp_path / "noting.py").write_text(NOTING)
    settings = ("--allow=noting", f"hydra.launcher.address={cluster}", "hydra.launcher.num_gpus=0.5")
    swept = ("encoder._target_=noting.Noting", "data.batch_size=32,33,34,64", "seed=0,1")
    code, out, err = run(tmp_path, *settings, *swept)
    assert code == 1, err
    assert "launcher ray: 4 CPUs and 2 GPUs, 4 jobs at once" in out
    assert out.count("failed: its process died: ") == 2, out
    sweep = Sweep.read(tmp_path / "s")
    assert {run.status for run in sweep.runs if run.overrides["data.batch_size"] == 64} == {"stopped"}
    assert [run.status for run in sweep.runs if run.overrides["data.batch_size"] != 64] == ["finished"] * 6
    noted = [json.loads(file.read_text()) for file in tmp_path.glob("*_*.json")]
    assert len(noted) == 8
    assert {about["gpu"] for about in noted} == {"0"}
    assert len({about["node"] for about in noted}) == 2
    before = [run.result for run in sweep.runs if run.finished]
    again = run(tmp_path, "resume=s", *settings)  # those that died die again
    assert "8 runs in s: 6 have ended and are kept, 2 to go" in again[1]
    assert [run.result for run in Sweep.read(tmp_path / "s").runs if run.finished] == before


def test_figures_are_those_of_the_basic_launcher(cluster, tmp_path):
    swept = ("model=vae,bn_vae", "threads=1")
    assert run(tmp_path, *swept, f"hydra.launcher.address={cluster}")[0] == 0
    code, _, err = run(tmp_path, *swept, "hydra/launcher=basic", "hydra.sweep.dir=basic")
    assert code == 0, err
    ours, basic = ([run.result.metrics for run in Sweep.read(tmp_path / name).runs] for name in ("s", "basic"))
    assert ours == basic


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path):
    code, _, err = run(tmp_path, "seed=0,1", "hydra.launcher.address=127.0.0.1:1")
    assert code == 1
    assert "error: hydra.launcher.address=127.0.0.1:1: " in err
    assert "Traceback" not in err


def test_ctrl_c_ends_the_sweep_and_its_ray_and_says_how_to_go_on(tmp_path):
    long = command("seed=0,1", "trainer.max_steps=1000000", "trainer.log_every_n_steps=1")
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            long, cwd=tmp_path, env=os.environ | AUTH, stdout=out, stderr=out, start_new_session=True
        )
    until(lambda: len(list(tmp_path.glob("s/*/metrics.csv"))) == 2, "no run has begun")
    below = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    lines = (tmp_path / "out").read_text().splitlines()
    assert "to go on: python -m vae_lab hydra/launcher=ray -m resume=s" in lines
    reasons = [Result.read(tmp_path / "s" / f"seed={seed}").reason for seed in (0, 1)]
    assert all(reason.startswith("interrupted by Ctrl-C at step ") for reason in reasons), reasons
    until(lambda: not alive(below), f"left: {alive(below)}")


def test_without_ray_one_line_says_what_to_install(cli, monkeypatch):
    monkeypatch.setattr("vae_lab.config.extras.find_spec", lambda name: None)
    done = cli("-m", "hydra/launcher=ray", "seed=0,1", *SHORT)
    assert done.err == 'error: hydra/launcher=ray: is not installed: pip install "vae_lab[ray]"'
