"""Whether a stack pays: its step against those of its models one by one, timed before it trains.

Where the step of one model is arithmetic throughout, as with convolutions or wide layers on a CPU, a stack gains
nothing. Where it is mostly calls, as with small layers, it gains several times.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from vae_lab.data import ImageData
from vae_lab.stacking.feed import Feed
from vae_lab.stacking.model import StackedModel
from vae_lab.training.trainer import set_threads

REPETITIONS = 5  # the least counts
TRAINER_SECONDS = 6e-4  # that the Trainer adds to a step: hooks, optimizer, batch and noise
LEAST_GAIN = 1.1


def trial(
    stack: StackedModel, feed: Feed, step: int, config: Mapping[str, Any], data: ImageData
) -> tuple[float, float]:
    """Seconds of a step of all models stacked, and one by one; nothing of them has changed afterwards.

    On the CPU they are those of the processor: what else the machine does counts little.
    """
    before = {name: buffer.clone() for name, buffer in stack.buffers.items()}
    x, noise = feed.batch(step), feed.noise(step)
    threads = torch.get_num_threads()
    clock = time.process_time if x.device.type == "cpu" else time.perf_counter
    stacked, alone = [], []
    for _ in range(REPETITIONS):
        stacked.append(seconds(lambda: backward(stack(x, noise).loss.sum()), clock))
        set_threads(config, data)
        alone.append(seconds(lambda: backward(stack.models[0](x[0], noise[0]).loss), clock))
        torch.set_num_threads(threads)
    for name, buffer in before.items():
        stack.buffers[name].copy_(buffer)
    for parameter in (*stack.parameters.values(), *stack.models[0].parameters()):
        parameter.grad = None
    return min(stacked), (min(alone) + TRAINER_SECONDS) * len(stack.models)


def backward(loss: torch.Tensor) -> float:
    """The gradients of a loss; gives its value, so that a GPU has done its work."""
    loss.backward()
    return loss.item()


def seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """The time of a call."""
    began = clock()
    call()
    return clock() - began


def verdict(stacked: float, alone: float, count: int) -> str:
    """Why a stack does not pay, empty where it does.

    Example:
        >>> verdict(stacked=0.066, alone=0.060, count=8)
        'a step of 8 such models takes 66 ms stacked, and 60 ms one by one'
    """
    if alone > LEAST_GAIN * stacked:
        return ""
    return f"a step of {count} such models takes {1e3 * stacked:.0f} ms stacked, and {1e3 * alone:.0f} ms one by one"
