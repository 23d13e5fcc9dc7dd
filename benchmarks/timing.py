"""How time is measured: CPU seconds, commands in processes of their own, and repetitions in turn."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

Taken = TypeVar("Taken")


class Cost(NamedTuple):
    """Seconds of a command by the clock, and of CPU time of all its processes; its output."""

    clock: float
    cpu: float
    output: str


def cpu(call: Callable[[], Any]) -> float:
    """CPU seconds of this process that a call takes, all threads."""
    began = time.process_time()
    call()
    return time.process_time() - began


def clock(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def python(*arguments: str) -> Cost:
    """Run Python with these arguments in an empty directory; end this program where that fails."""
    before, began = children_cpu(), time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([sys.executable, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return Cost(time.perf_counter() - began, children_cpu() - before, done.stdout)


def children_cpu() -> float:
    """CPU seconds of all child processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_memory() -> float:
    """The most memory that this process has held so far, in MB (Linux).

    ``getrusage`` would say no less than what the process held that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith("VmHWM")) * 1024 / 1e6


def in_turn(calls: Mapping[str, Callable[[], Taken]], rounds: int) -> dict[str, list[Taken]]:
    """Measure A B A B ...: what else the machine does falls on all alike. Returns what each took, by round."""
    taken: dict[str, list[Taken]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(call())
    return taken


def ratio(taken: Mapping[str, Sequence[float]], name: str, base: str) -> float:
    """How many times as long ``name`` takes as ``base``: the ratio of the medians."""
    return median(taken[name]) / median(taken[base])
