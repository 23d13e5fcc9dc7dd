"""How much faster ``hydra/launcher=local`` and ``stacked`` are than Hydra's basic launcher, in turn.

    python benchmarks/launchers.py
    python benchmarks/launchers.py --mnist DIR --full

The same sweep is run by each, imports, checks, evaluation and report included. What two equal jobs gain here by
running at once bounds the local launcher: on a busy machine, or one whose cores share what they have, less than two.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

from configs import MLP, mnist
from results import Measurement, Row, measure
from timing import Cost, clock, in_turn, python

GRID = ("free_bits=dimension", "model.beta=0.5,1,2,4", "free_bits.epsilon=0,0.25")  # 8 settings
LEAST = {"local": 1.7, "stacked": 5.0}  # times as fast as basic
WORK = """
import torch
torch.set_num_threads(1)
x, w = torch.randn(64, 256), torch.randn(256, 64, requires_grad=True)
for _ in range(30_000):
    w.grad = None
    (x @ w).relu().sum().backward()
"""


def seeds(count: int) -> str:
    """So many seeds."""
    return "seed=" + ",".join(map(str, range(count)))


def compare(what: str, sweep: Sequence[str], least: dict[str, float], rounds: int) -> list[Row]:
    """How many times as fast as the basic launcher the others of ``least`` run a sweep."""
    calls = {name: partial(launched, name, sweep) for name in ("basic", *least)}
    taken = in_turn(calls, rounds)
    return [row for name in least for row in rows(what, name, least[name], taken)]


def launched(launcher: str, sweep: Sequence[str]) -> Cost:
    """Run a sweep; says what the stacked launcher does not stack."""
    cost = python("-m", "vae_lab", "-m", f"hydra/launcher={launcher}", *sweep)
    print(f"  {launcher}: {cost.clock:.1f} s, {cost.cpu:.1f} s of CPU time", flush=True)
    for line in cost.output.splitlines():
        if "trained alone" in line:
            print(f"  {line}")
    return cost


def rows(what: str, name: str, least: float, taken: dict[str, list[Cost]]) -> list[Row]:
    """The rows of one launcher."""
    times = {way: (median(c.clock for c in taken[way]), median(c.cpu for c in taken[way])) for way in ("basic", name)}
    (basic, basic_cpu), (seconds, cpu) = times["basic"], times[name]
    note = f"basic {basic:.0f} s, {name} {seconds:.0f} s; CPU time {basic_cpu:.0f} and {cpu:.0f} s"
    return [Row(f"{what}: basic / {name}", basic / seconds, at_least=least, note=note)]


def scaling(rounds: int) -> list[Row]:
    """How many times as fast equal jobs are on all cores at once as one after another."""
    command, env = [sys.executable, "-c", WORK], os.environ | {"OMP_NUM_THREADS": "1"}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def together(count: int) -> None:
        for process in [subprocess.Popen(command, env=env) for _ in range(count)]:
            process.wait()

    taken = in_turn({str(count): lambda count=count: clock(lambda: together(count)) for count in (1, cores)}, rounds)
    gain = cores * median(taken["1"]) / median(taken[str(cores)])
    return [Row(f"equal jobs: {cores} in turn / at once", gain, note="what the machine gives")]


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    rounds = 3 if options.full else 1
    yield Measurement("scaling", scaling, rounds=1 if options.small else 3)
    if options.small:
        jobs = (*GRID, seeds(1), "trainer.max_steps=40", "metrics.test.nll.k=2")
        yield Measurement("8 digits jobs", partial(compare, "8 digits jobs", jobs, LEAST))
        return
    yield Measurement("32 digits jobs", partial(compare, "32 digits jobs", (*GRID, seeds(4)), LEAST), rounds)
    if options.full:
        sweep = ("+experiment=collapse_sweep",)
        yield Measurement("collapse_sweep", partial(compare, "collapse_sweep, 24 jobs", sweep, LEAST), rounds)
    if options.full and options.mnist:
        jobs = (*GRID, *mnist(options.mnist), *MLP, "trainer.max_steps=600")
        no_slower = partial(compare, "8 MNIST MLP jobs, 600 steps", jobs, {"stacked": 1.0})
        yield Measurement("8 MNIST MLP jobs", no_slower, rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("launchers", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
