"""Kills a sweep at random moments and takes it up again each time: ``python tests/chaos.py KILLS FOLDER [SEED]``.

At the end the sweep must be the one that was never disturbed: the same rows of ``summary.csv`` but for seconds, the
same curves, the same weights. After each kill every file that is there must be whole, and no process may be left over.
"""

import csv
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import torch

# the command, with checkpoints between validations too, which a run of seconds would not write
RUNNER = """
from vae_lab.endings import endings
with endings():
    import vae_lab.callbacks.checkpoints as checkpoints
    from vae_lab.cli import main
    checkpoints.MOST_SECONDS = 0.2
    main()
"""
GRID = ("model=bn_vae,info_vae", "seed=0,1", "control=pi", "optimizer.lr_decay=cosine", "data.binarize=dynamic")
LENGTHS = ("trainer.val_check_interval=100", "trainer.log_every_n_steps=10", "metrics.test.nll.k=0")
STEPS_PER_KILL = 60  # of each of the four runs
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
EARLY = 0.2  # of the kills: before the first run has begun
DONE = 0.6  # of an undisturbed sweep's time: what the sessions that are killed take together


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in a session of its own, so that whatever it leaves over can be found."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, "-c", RUNNER, *arguments], cwd=folder, start_new_session=True, **pipes)


def ended_by_itself(process: subprocess.Popen[str], seconds: float) -> bool:
    """Wait so long; whether the process has ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def has_begun(sweep: Path, process: subprocess.Popen[str]) -> bool:
    """Wait until a run of this process is there; False when it ends without one."""
    while process.poll() is None:
        for file in sweep.glob("*/result.json"):
            if (json.loads(file.read_text())["process"] or {}).get("pid") == process.pid:
                return True
        time.sleep(0.02)
    return False


def left_over(session: int) -> list[int]:
    """The processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def check_whole(sweep: Path) -> int:
    """Read every file by its own name; returns how many there are."""
    read = 0
    for path in sweep.rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".ckpt" and not path.name.startswith("new"):
            torch.load(path, weights_only=True)
        elif path.suffix == ".csv":
            with path.open() as file:
                columns, *rows = csv.reader(file)
            assert path.name == "metrics.csv" or all(len(row) == len(columns) for row in rows), path
        else:
            continue
        read += 1
    return read


def rows(sweep: Path) -> list[dict[str, str]]:
    """``summary.csv`` but for the seconds."""
    with (sweep / "summary.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The weights of the last checkpoint."""
    return dict(torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])


def assert_same(one: Path, other: Path) -> None:
    """Both sweeps have the same rows, curves and weights."""
    assert rows(one) == rows(other)
    for run in (path.parent for path in one.glob("*/result.json")):
        twin = other / run.name
        assert (run / "metrics.csv").read_text() == (twin / "metrics.csv").read_text(), run
        here, there = weights(run), weights(twin)
        assert here.keys() == there.keys()
        assert all(torch.equal(here[name], there[name]) for name in here), run


def main(kills: int, folder: Path, seed: int = 0) -> None:
    """Disturb a sweep so often, and compare it with one that was left alone."""
    chance = random.Random(seed)
    numbers = [number for number, _ in zip(itertools.cycle(SIGNALS), range(kills), strict=False)]
    chance.shuffle(numbers)
    sweep = ("-m", *GRID, f"trainer.max_steps={max(STEPS_PER_KILL * kills, 300)}", *LENGTHS)
    asked, process = time.monotonic(), start(folder, *sweep, "hydra.sweep.dir=whole")
    assert has_begun(folder / "whole", process)
    began = time.monotonic()
    out, _ = process.communicate()
    assert process.returncode == 0, out
    took, starting = time.monotonic() - began, began - asked
    shares = [chance.uniform(0.1, 1) for _ in numbers]

    done, early, slowest, read, arguments = Counter(), 0, 0.0, 0, [*sweep, "hydra.sweep.dir=s"]
    for number, share in zip(numbers, shares, strict=True):
        process, at = start(folder, *arguments), time.monotonic()
        if chance.random() < EARLY:
            over = ended_by_itself(process, chance.uniform(0, starting))
            early += 1
        else:
            seconds = DONE * took * share / sum(shares)
            over = not has_begun(folder / "s", process) or ended_by_itself(process, seconds)
        asked = time.monotonic()
        if not over:
            process.send_signal(number)
            done[number.name] += 1
        try:
            out, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            sys.exit(f"{number.name} was not heeded: sent {asked - at:.1f} s after the start")
        if number != signal.SIGKILL:
            slowest = max(slowest, time.monotonic() - asked)
        assert over or process.returncode in (-number, 128 + number), out
        assert "Traceback" not in out, out
        assert not left_over(process.pid)
        read += check_whole(folder / "s")
        arguments = ["-m", "resume=s"] if (folder / "s" / "sweep.json").exists() else arguments
    process = start(folder, *arguments)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert_same(folder / "whole", folder / "s")
    print(
        f"{sum(done.values())} kills ({', '.join(f'{n} {name}' for name, n in sorted(done.items()))}), {early} of them "
        f"before a run had begun; slowest end on a signal {slowest:.1f} s; {read} files read, all whole; "
        f"undisturbed {took:.0f} s; last session: {out.splitlines()[0]}; summary.csv, curves and weights are the same"
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(int(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
