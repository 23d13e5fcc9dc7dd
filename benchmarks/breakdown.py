"""Where the CPU time of a run goes: training, validations, checkpoints, and the figures at the end.

    python benchmarks/breakdown.py [--mnist DIR] [--full]

Ten forward passes over 6,000 validation images are 60,000 images; 1,500 steps of 128 images are 192,000 forward and
backward. The first alone costs a tenth of the second, whatever is measured: shares of a run that short are high.

It trains one run as a person would, with all that a run writes, and adds up the CPU time (of the process, all threads)
that goes into each part. Training and validation alternate within the one run, and what else the machine does counts
little: the shares hold on a busy machine too.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial, wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lightning.pytorch import Trainer
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.fit_loop import _FitLoop
from torchmetrics import Metric

from configs import MLP, mnist
from results import Measurement, Row, measure
from vae_lab.callbacks import evaluation
from vae_lab.config.compose import compose_config
from vae_lab.training.run import execute

VALIDATIONS, LONG = 10, 6000  # steps
DEAREST = 3  # metrics that are named


class Clock:
    """CPU seconds and calls by name; a name may lie within another."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.split = "val"  # that is being measured
        self.end_of_fit = 0.0

    def timed(self, call: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        """``call``, its time booked under what ``name`` makes of its first argument."""

        @wraps(call)
        def timing(*arguments: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return call(*arguments, **options)
            finally:
                booked = name(arguments[0] if arguments else None)
                self.seconds[booked] += time.process_time() - began
                self.calls[booked] += 1

        return timing

    def of_metric(self, wrap: Callable[..., Any]) -> Callable[..., Any]:
        """torchmetrics' wrapper of ``update``, its result timed under the split and the metric."""

        def wrapping(metric: Metric, call: Callable[..., Any]) -> Callable[..., Any]:
            return self.timed(wrap(metric, call), lambda _: self.metric(metric))

        return wrapping

    def metric(self, metric: Metric) -> str:
        """The name under which a metric's time is booked."""
        return f"{self.split}/{type(metric).__name__}"

    def fit(self, _: Any) -> str:
        """The name of the training; what comes after it counts from here."""
        self.end_of_fit = time.process_time()
        return "fit"

    def evaluation(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """An evaluation loop's ``run``, timed as ``validation`` or ``test``; metrics are booked under it meanwhile."""

        @wraps(run)
        def running(loop: Any) -> Any:
            self.split = "val" if loop.trainer.state.fn == "fit" else "test"
            return self.timed(run, lambda _: "validation" if self.split == "val" else "test")(loop)

        return running


def measure_parts(config: dict[str, Any]) -> Clock:
    """Run it and return where the CPU time went."""
    clock = Clock()
    with ExitStack() as stack:
        for owner, method, replacement in (
            (_EvaluationLoop, "run", clock.evaluation(_EvaluationLoop.run)),
            (_FitLoop, "run", clock.timed(_FitLoop.run, clock.fit)),
            (Trainer, "save_checkpoint", clock.timed(Trainer.save_checkpoint, lambda _: "checkpoints")),
            (Metric, "_wrap_update", clock.of_metric(Metric._wrap_update)),
            (evaluation, "computed", clock.timed(evaluation.computed, clock.metric)),
        ):
            stack.enter_context(patch.object(owner, method, replacement))
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        execute(config, Path(directory) / "run", {})
        clock.seconds["end"] = time.process_time() - clock.end_of_fit
    return clock


def rows(what: str, clock: Clock, steps: int) -> list[Row]:
    """A row for each part of the run; the parts are of the training alone."""
    seconds = clock.seconds
    training = seconds["fit"] - seconds["validation"]
    watching = seconds["validation"] - seconds["checkpoints"]

    def share(name: str, value: float, note: str, at_most: float | None = None) -> Row:
        return Row(f"{what}: {name}, % of the training", 100 * value / training, at_most=at_most, note=note)

    def dearest(split: str) -> str:
        found = [
            f"{name.removeprefix(f'{split}/')} {value:.2f} s"
            for name, value in seconds.most_common()
            if name.startswith(f"{split}/") and "_Result" not in name
        ]
        return ", ".join(found[:DEAREST])

    passes = f"{clock.calls['validation']} passes, {watching:.2f} s; {dearest('val')}"
    return [
        Row(f"{what}: training alone, ms a step", 1000 * training / steps, note=f"{training:.2f} s"),
        share("validation", watching, passes, at_most=10 if steps >= LONG else None),
        share("checkpoints", seconds["checkpoints"], f"{clock.calls['checkpoints']} files"),
        share("end of the run", seconds["end"], f"{seconds['end']:.2f} s; {dearest('test')}"),
    ]


def taken(what: str, overrides: Sequence[str], steps: int, _: int) -> list[Row]:
    """Train with all that a run does, and say where the time went."""
    about = (f"trainer.max_steps={steps}", f"trainer.val_check_interval={max(steps // VALIDATIONS, 1)}")
    config = compose_config(["model=vae", *overrides, *about, "threads=1", "trainer.accelerator=cpu"])
    return rows(what, measure_parts(config), steps)


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    steps = 20 if options.small else 1500
    yield Measurement("digits", partial(taken, f"digits, {steps:,} steps", ("data=digits",), steps))
    if options.mnist and not options.small:
        steps = LONG if options.full else steps
        mlp = (*mnist(options.mnist), *MLP)
        yield Measurement(f"MNIST, {steps}", partial(taken, f"MNIST MLP, {steps:,} steps", mlp, steps))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("breakdown", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
