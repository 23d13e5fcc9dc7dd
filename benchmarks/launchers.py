"""How much faster ``hydra/launcher=local`` is than Hydra's basic launcher, imports included, measured in turn.

``python benchmarks/launchers.py [--rounds N] [OVERRIDE ...]``: the sweep is ``collapse_sweep`` unless overrides say
otherwise. It prints each round's seconds by the clock and of CPU time, the ratio of the medians, and what two equal
jobs gain here by running at once, which bounds it: on a busy machine, or one whose cores share what they have, less
than two.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

from timing import children_cpu, report

LAUNCHERS = ("basic", "local")
WORK = """
import torch
torch.set_num_threads(1)
x, w = torch.randn(64, 256), torch.randn(256, 64, requires_grad=True)
for _ in range(30_000):
    w.grad = None
    (x @ w).relu().sum().backward()
"""


def seconds(launcher: str, overrides: list[str]) -> tuple[float, float]:
    """How long a sweep takes, from the start of the command to its end, and its CPU time."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "vae_lab", "-m", f"hydra/launcher={launcher}", *overrides]
        began, used = time.perf_counter(), children_cpu()
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        return time.perf_counter() - began, children_cpu() - used


def scaling(cores: int) -> float:
    """How many times as fast equal jobs are on all cores at once as one after another."""
    command, env = [sys.executable, "-c", WORK], os.environ | {"OMP_NUM_THREADS": "1"}

    def together(count: int) -> float:
        began = time.perf_counter()
        for process in [subprocess.Popen(command, env=env) for _ in range(count)]:
            process.wait()
        return time.perf_counter() - began

    return median(cores * together(1) / together(cores) for _ in range(3))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=["+experiment=collapse_sweep"])
    options = parser.parse_args()
    taken: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
    used: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
    for _ in range(options.rounds):
        for launcher in LAUNCHERS:
            clock, cpu = seconds(launcher, options.overrides)
            taken[launcher].append(clock)
            used[launcher].append(cpu)
            print(f"{launcher} {clock:.1f} s, {cpu:.1f} s of CPU time", flush=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    basic, local = (median(taken[launcher]) for launcher in LAUNCHERS)
    note = f"basic {basic:.1f} s, local {local:.1f} s; CPU {median(used['basic']):.1f}, {median(used['local']):.1f} s"
    rows = [
        {"what": f"equal jobs: {cores} at once / in turn, gain", "measured": scaling(cores)},
        {"what": "sweep: basic / local", "measured": basic / local, "goal": 1.7, "note": note},
    ]
    report("launchers", rows)


if __name__ == "__main__":
    main()
