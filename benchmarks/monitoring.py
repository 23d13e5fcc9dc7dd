"""What watching costs: CPU time of the validations and of the figures at the end, beside that of the training itself.

    python benchmarks/monitoring.py --data digits
    python benchmarks/monitoring.py --data mnist --root DIR --steps 1500

Ten forward passes over 10,000 validation images are 100,000 images; 1,500 steps of 128 images are 192,000 forward and
backward. The first alone costs 13 % of the second, whatever is measured: shares of a run that short cannot be lower.

It trains one run as a person would, with all that a run writes, and adds up the CPU time (of the process, all threads)
that goes into each part. Training and validation alternate within the one run, and what else the machine does counts
little: the shares hold on a busy machine too.
"""

import argparse
import functools
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lightning.pytorch import Trainer
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.fit_loop import _FitLoop
from torchmetrics import Metric

from vae_lab.callbacks import evaluation
from vae_lab.config.compose import compose_config
from vae_lab.training.run import execute

VALIDATIONS = 10


class Clock:
    """CPU seconds and calls by name; a name may lie within another."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.split = "val"  # that is being measured
        self.end_of_fit = 0.0

    def timed(self, call: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        """``call``, its time booked under what ``name`` makes of its first argument."""

        @functools.wraps(call)
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

        @functools.wraps(run)
        def running(loop: Any) -> Any:
            self.split = "val" if loop.trainer.state.fn == "fit" else "test"
            return self.timed(run, lambda _: "validation" if self.split == "val" else "test")(loop)

        return running


def measure(config: dict[str, Any]) -> Clock:
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


def lines(clock: Clock, steps: int) -> list[str]:
    """One line for each part."""
    seconds = clock.seconds
    training = seconds["fit"] - seconds["validation"]
    watching = seconds["validation"] - seconds["checkpoints"]

    def share(name: str, value: float, note: str = "") -> str:
        return f"{name:<34}{value:8.2f} s {100 * value / training:6.1f} %  {note}"

    def by_metric(split: str) -> list[str]:
        found = [
            (name, value)
            for name, value in seconds.most_common()
            if name.startswith(f"{split}/") and "_Result" not in name
        ]
        return [share(f"  {name}", value) for name, value in found]

    return [
        share("training alone", training, f"{1000 * training / steps:.2f} ms a step"),
        share(
            "validation",
            watching,
            f"{clock.calls['validation']} passes; {100 * watching / (training + watching):.1f} % of both",
        ),
        *by_metric("val"),
        share("checkpoints", seconds["checkpoints"], f"{clock.calls['checkpoints']} files"),
        share("end of the run", seconds["end"], "the test split's figures, theory and diagnosis included"),
        share("  test pass", seconds["test"], "metrics included"),
        *by_metric("test"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="a data set of conf/data (default: digits)")
    parser.add_argument("--root", default=os.environ.get("VAE_LAB_DATA"), help="data root (default: VAE_LAB_DATA)")
    parser.add_argument("--steps", type=int, default=1500, help="optimizer steps, with ten validations")
    parser.add_argument("--hidden", type=int, default=400, help="hidden units of encoder and decoder")
    parser.add_argument("--latent-dim", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("overrides", nargs="*", help="further KEY=VALUE")
    options = parser.parse_args(arguments)
    root = [f"data.root={options.root}"] if options.root and options.data != "digits" else []
    config = compose_config(
        [
            *(f"data={options.data}", *root, f"data.batch_size={options.batch_size}", "model=vae"),
            *(f"model.latent_dim={options.latent_dim}", f"threads={options.threads}", "trainer.accelerator=cpu"),
            *(f"encoder.hidden=[{options.hidden}]", f"decoder.hidden=[{options.hidden}]"),
            f"trainer.max_steps={options.steps}",
            f"trainer.val_check_interval={max(options.steps // VALIDATIONS, 1)}",
            *options.overrides,
        ]
    )
    clock = measure(config)
    print(
        f"{options.data}, MLP with {options.hidden} hidden units, {options.latent_dim} latents, "
        f"batch {options.batch_size}, {options.steps} steps, {options.threads} thread(s); CPU time, % of training alone"
    )
    print("\n".join(lines(clock, options.steps)))


if __name__ == "__main__":
    main()
