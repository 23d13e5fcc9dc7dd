"""Many runs: the memory of a process that trains one after another, and what a job of a sweep costs by their number.

python benchmarks/scale.py [--full]
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from results import Measurement, Row, measure
from timing import cpu, in_turn, python
from vae_lab.config.compose import compose_config
from vae_lab.training.run import execute

SHORT = ("trainer.max_steps=10", "trainer.val_check_interval=5", "metrics.test.nll.k=2")


def memory(first: int, last: int, _: int) -> list[Row]:
    """What the process holds after so many runs, beside what it held after the first of them."""
    config, held, seconds = compose_config(SHORT), [], []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(last):
            run = partial(execute, {**config, "seed": number}, Path(directory) / str(number), {})
            seconds.append(cpu(run))
            held.append(resident())
    note = f"{held[first - 1] / 1e3:.0f} and {held[-1] / 1e3:.0f} MB"
    early, late = median(seconds[first : 2 * first]), median(seconds[-first:])
    return [
        Row(f"memory, run {last} / run {first}", held[-1] / held[first - 1], at_most=1.05, note=note),
        Row(f"CPU time of a run, last {first} / those after the first {first}", late / early),
    ]


def resident() -> int:
    """What this process holds, in kB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith("VmRSS"))


def cost_of_a_job(counts: Sequence[int], rounds: int) -> list[Row]:
    """CPU seconds of a further job of a sweep, checks and report included, between each two counts."""
    sweep = partial(python, "-m", "vae_lab", "-m", *SHORT)
    calls = {str(n): lambda n=n: sweep("seed=" + ",".join(map(str, range(n)))).cpu for n in counts}
    taken = in_turn(calls, rounds)
    each = [(median(taken[str(more)]) - median(taken[str(fewer)])) / (more - fewer) for fewer, more in pairwise(counts)]
    note = ", ".join(
        f"{fewer}-{more}: {found:.2f} s" for (fewer, more), found in zip(pairwise(counts), each, strict=True)
    )
    return [
        Row(
            f"CPU time of a job, report included, up to {counts[-1]} / up to {counts[1]}", each[-1] / each[0], note=note
        )
    ]


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    yield Measurement("memory", partial(memory, *((2, 6) if options.small else (20, 200))))
    if options.full or options.small:
        yield Measurement("cost of a job", partial(cost_of_a_job, (1, 2, 3) if options.small else (10, 100, 500)))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("scale", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
