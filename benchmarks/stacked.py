"""What a step costs each model of a stack, by the size of the stack: the bare step, pass and gradients.

    python benchmarks/stacked.py [--mnist DIR] [--full]

On the CPU these are seconds of the processor, on a GPU (``gpu.py``) of the clock.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

import torch

from configs import MLP, mnist
from results import Measurement, Row, measure
from vae_lab.config.compose import compose_config
from vae_lab.stacking.feed import Feed
from vae_lab.stacking.model import StackedModel
from vae_lab.training.assembly import assemble

STEPS = 20
SETTLED = STEPS // 4  # of which the first do not count


def curve(what: str, overrides: Sequence[str], sizes: Sequence[int], _: int, device: str = "cpu") -> list[Row]:
    """A row for each size, beside the stack of one."""
    torch.set_num_threads(1)
    milliseconds = {size: 1e3 * step(overrides, size, device) / size for size in sizes}
    alone = milliseconds[sizes[0]]
    return [
        Row(
            f"{what}, stack of {size}: ms per model and step", found, note=f"{alone / found:.2f} times as fast as alone"
        )
        for size, found in milliseconds.items()
    ]


def step(overrides: Sequence[str], size: int, device: str) -> float:
    """Seconds of a step of a whole stack."""
    made = [assemble(compose_config([*overrides, f"seed={seed}"])) for seed in range(size)]
    stack = StackedModel([parts.model.to(device).train() for parts in made])
    feed = Feed(stack, [parts.data for parts in made])
    return median(seconds_of_step(stack, feed, number) for number in range(STEPS)[SETTLED:])


def seconds_of_step(stack: StackedModel, feed: Feed, number: int) -> float:
    """The seconds of one step."""
    clock = time.process_time if feed.like.device.type == "cpu" else time.perf_counter
    began = clock()
    loss = stack(feed.batch(number), feed.noise(number)).loss.sum()
    loss.backward()
    loss.item()
    for parameter in stack.parameters.values():
        parameter.grad = None
    return clock() - began


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    sizes = (1, 2) if options.small else (1, 2, 4, 8, 16, 32)
    yield Measurement("digits MLP", partial(curve, "digits MLP", ("data=digits",), sizes))
    if options.mnist and (options.full or options.small):
        yield Measurement("MNIST MLP", partial(curve, "MNIST MLP", (*mnist(options.mnist), *MLP), sizes[:4]))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("stacked", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
