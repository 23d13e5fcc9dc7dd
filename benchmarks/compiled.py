"""What ``trainer.compile=true`` and bf16 gain each model: the step of a run, eager and in full precision, beside it.

    python benchmarks/compiled.py [--mnist DIR] --full

CPU time of one thread. Compilation itself is not counted.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

import torch

from configs import MLP, mnist
from pace import run_pace, steps_only
from results import Measurement, Row, measure
from timing import in_turn
from vae_lab.config.compose import compose_config

MODELS = ("vae", "beta_vae", "beta_tcvae", "bn_vae", "delta_vae", "dip_vae", "factor_vae", "info_vae")
WAYS = {
    "eager": (),
    "compiled": ("trainer.compile=true",),
    "bf16": ("trainer.precision=bf16-mixed",),
    "both": ("trainer.compile=true", "trainer.precision=bf16-mixed"),
}


def gains(what: str, overrides: Sequence[str], steps: int, rounds: int) -> list[Row]:
    """How many times as fast each way is as eager training in full precision."""
    shared = (*overrides, *steps_only(steps), "threads=1", "trainer.accelerator=cpu")
    taken = in_turn({way: partial(fresh_pace, compose_config([*shared, *WAYS[way]])) for way in WAYS}, rounds)
    step = {way: median(found) for way, found in taken.items()}
    gain = {way: step["eager"] / seconds for way, seconds in step.items()}
    note = f"bf16 {gain['bf16']:.2f}, both {gain['both']:.2f}; eager {1000 * step['eager']:.2f} ms a step"
    return [Row(f"{what}: eager / compiled", gain["compiled"], note=note)]


def fresh_pace(config: Mapping[str, Any]) -> float:
    """Seconds a step, compiled from nothing: torch gives up where one process has compiled many models."""
    torch.compiler.reset()
    return run_pace(config)


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    steps = 6 if options.small else 200
    for model in MODELS[:1] if options.small else MODELS:
        yield Measurement(f"{model}, digits", partial(gains, f"{model}, digits", (f"model={model}",), steps))
        if options.mnist and not options.small:
            mlp = (f"model={model}", *mnist(options.mnist), *MLP)
            yield Measurement(f"{model}, MNIST MLP", partial(gains, f"{model}, MNIST MLP", mlp, steps))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("compiled", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
