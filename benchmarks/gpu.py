"""The GPU half of the benchmarks in one call: a run against the bare loop, eager and compiled, and stacks of models.

    python benchmarks/gpu.py --mnist DIR               # under eight minutes on one GPU
    python benchmarks/gpu.py --mnist DIR --full        # goes on where a call was stopped

Without a GPU it is the same at small sizes, on the CPU.

Where there is a GPU it first trains with torch's synchronisation debug mode set to raise: a step that waits for the
device fails there. The ways of compiling are tried one by one, and one that fails is a line, not an end. The basic
launcher runs an eighth of the sweep's jobs: each costs the same, beside the start.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

import torch

from bare import bare_loop
from configs import MLP, mnist
from nll import of_split
from pace import ON_GPU, clock, run_pace, settle, steps_only
from results import Measurement, Row, measure
from stacked import curve
from timing import in_turn, python
from vae_lab.checks import one_line
from vae_lab.config.compose import compose_config

DEVICE, ACCELERATOR = ("cuda", "gpu") if ON_GPU else ("cpu", "cpu")
BATCHES = (128, 1024)
BETAS, EPSILONS = "model.beta=0.5,1,2,4", "free_bits.epsilon=0,0.25"


def loop_pace(config: Mapping[str, Any], compiled: bool) -> float:
    """Seconds a step of the bare loop."""
    steps = config["trainer"]["max_steps"]
    torch.set_num_threads(config["threads"])
    loop = bare_loop(config, DEVICE, compiled)
    loop(max(steps // 2, 3))
    settle()
    began = clock()
    loop(steps)
    settle()
    return (clock() - began) / steps


def tried(call: Callable[[], float]) -> float | str:
    """What a call gives, or in one line why it gives nothing."""
    try:
        torch.compiler.reset()
        return call()
    except Exception as error:
        return one_line(error)


def waiting(overrides: Sequence[str], _: int) -> list[Row]:
    """Whether a step waits for the device."""
    outcome = tried(lambda: run_pace(compose_config(overrides), strict=True))
    note = "" if isinstance(outcome, float) else outcome
    return [Row("steps that wait for the device", float(bool(note)), at_most=0, note=note)]


def paces(overrides: Sequence[str], batch: int, rounds: int) -> list[Row]:
    """Images a second with batches of one size, by the way of training."""

    def composed(mode: str) -> dict[str, Any]:
        return compose_config([*overrides, f"data.batch_size={batch}", f"trainer.compile={mode}"])

    ways: dict[str, Callable[[], float]] = {
        "bare loop, eager": partial(loop_pace, composed("false"), compiled=False),
        "bare loop, compiled": partial(loop_pace, composed("false"), compiled=True),
        "run, eager": partial(run_pace, composed("false")),
        "run, compile=true": partial(run_pace, composed("true")),
    }
    if ON_GPU:
        ways["run, compile=reduce-overhead"] = partial(run_pace, composed("reduce-overhead"))
    taken = in_turn({way: partial(tried, call) for way, call in ways.items()}, rounds)
    return [pace_row(f"MLP, batch {batch}: {way}, images/s", batch, found) for way, found in taken.items()]


def pace_row(what: str, batch: int, found: Sequence[float | str]) -> Row:
    """The row of one way, or why there is no figure."""
    seconds = [value for value in found if isinstance(value, float)]
    failures = [value for value in found if isinstance(value, str)]
    return Row(what, batch / median(seconds) if seconds else float("nan"), note="".join(failures[:1]))


def sweep(jobs: int, overrides: Sequence[str], _: int) -> list[Row]:
    """So many jobs by the stacked launcher; the basic one runs an eighth of them, or two."""
    few = max(jobs // 8, 2)
    seconds = {
        count: launched(launcher, count, overrides)
        for launcher, count in (("basic", 1), ("basic", few), ("stacked", jobs))
    }
    each = (seconds[few] - seconds[1]) / (few - 1)
    basic = seconds[1] + each * (jobs - 1)
    note = f"stacked {seconds[jobs]:.0f} s; basic {each:.1f} s a job, from {few} jobs"
    return [Row(f"{jobs} jobs: basic / stacked", basic / seconds[jobs], at_least=20 if ON_GPU else None, note=note)]


def launched(launcher: str, jobs: int, overrides: Sequence[str]) -> float:
    """Seconds of a sweep of so many jobs, imports and report included."""
    grid = (BETAS, EPSILONS) if jobs % 8 == 0 else ()
    seeds = "seed=" + ",".join(map(str, range(jobs // 8 if grid else jobs)))
    about = ("free_bits=dimension", *grid, seeds, *overrides)
    always = ("hydra.launcher.always=true",) if launcher == "stacked" else ()
    return python("-m", "vae_lab", "-m", f"hydra/launcher={launcher}", *always, *about).clock


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    small = options.small or not ON_GPU
    data = mnist(options.mnist) if options.mnist else ("data=digits",)
    shared = (*MLP, f"trainer.accelerator={ACCELERATOR}", "threads=1", *data)
    steps = ("model=vae", *shared, *steps_only(40 if small else 2000))
    if ON_GPU:
        yield Measurement("waiting", partial(waiting, steps))
    for batch in BATCHES:
        yield Measurement(f"batch {batch}", partial(paces, steps, batch))
    sizes = (1, 2, 4) if small else (1, 4, 16, 64, 256)
    yield Measurement("sizes", partial(curve, "MLP", shared, sizes, device=DEVICE))
    jobs, length = (4, 40) if small else (64, 1500)
    of_jobs = (*shared, f"trainer.max_steps={length}")
    yield Measurement("sweep", partial(sweep, jobs, of_jobs))
    yield Measurement("nll", partial(of_split, "MLP", *((4, 200) if small else (1000, 5000)), device=DEVICE))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("gpu", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
