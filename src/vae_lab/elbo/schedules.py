"""Schedules: pure functions ``step -> float`` over optimizer steps.

``end`` is the first step from which the value stays at its final one; the best checkpoint is chosen only from there.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from vae_lab.checks import choice, integer, keywords, number


class Schedule(Protocol):
    """What every schedule offers: a value for each step, and the step from which it no longer changes."""

    @property
    def end(self) -> int: ...

    def __call__(self, step: int) -> float: ...


@dataclass(frozen=True)
class Constant:
    """The same ``value`` at every step.

    Example:
        >>> Constant(0.5)(100)
        0.5
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        number("value", self.value, low=0, high=1)

    @property
    def end(self) -> int:
        return 0

    def __call__(self, step: int) -> float:
        return float(self.value)


@dataclass(frozen=True)
class Linear:
    """A ramp from ``start`` to ``stop`` over ``steps`` optimizer steps (Sønderby et al. 2016, section 2.3).

    Example:
        >>> warm_up = Linear(steps=100)
        >>> [warm_up(step) for step in (0, 25, 100, 500)]
        [0.0, 0.25, 1.0, 1.0]
    """

    steps: int
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        integer("steps", self.steps)
        number("start", self.start, low=0, high=1)
        number("stop", self.stop, low=0, high=1)

    @property
    def end(self) -> int:
        return self.steps

    def ramp(self, u: float) -> float:
        """Map progress ``u`` in [0, 1] to height in [0, 1]; this is what the other ramps override."""
        return u

    def __call__(self, step: int) -> float:
        return self.start + (self.stop - self.start) * self.ramp(min(max(step / self.steps, 0.0), 1.0))


@dataclass(frozen=True)
class Cosine(Linear):
    """A half cosine from ``start`` to ``stop``: flat at both ends.

    Example:
        >>> round(Cosine(steps=100)(25), 4)
        0.1464
    """

    def ramp(self, u: float) -> float:
        return 0.5 * (1 - math.cos(math.pi * u))


@dataclass(frozen=True)
class Sigmoid(Linear):
    """A logistic ramp (Bowman et al. 2016, section 3.1), scaled so that it starts and stops exactly at its ends.

    ``steepness`` is the slope k, in units of the whole ramp, of

    1 / (1 + exp(-k (u - ½)))

    Example:
        >>> round(Sigmoid(steps=100)(25), 4)
        0.0701
    """

    steepness: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("steepness", self.steepness, above=0, high=500)

    def ramp(self, u: float) -> float:
        half = self.steepness / 2
        return 0.5 * (1 + math.tanh(half * (u - 0.5)) / math.tanh(half / 2))


@dataclass(frozen=True)
class Cyclical(Linear):
    """``cycles`` saw teeth within ``steps``: each rises over the fraction ``ratio`` of its length, then stays up.

    Fu et al. 2019, equation 6, with M = ``cycles`` and R = ``ratio``; after ``steps`` it stays at ``stop``.

    Example:
        >>> saw = Cyclical(steps=100, cycles=2)
        >>> [saw(step) for step in (0, 20, 40, 50, 100)]
        [0.0, 0.8, 1.0, 0.0, 1.0]
    """

    cycles: int = 4
    ratio: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("cycles", self.cycles)
        number("ratio", self.ratio, above=0, high=1)

    @property
    def end(self) -> int:
        return math.ceil(self.steps * (self.cycles - 1 + self.ratio) / self.cycles)

    def ramp(self, u: float) -> float:
        position = u * self.cycles
        return 1.0 if u >= 1 else min((position - math.floor(position)) / self.ratio, 1.0)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "linear": Linear,
    "cosine": Cosine,
    "sigmoid": Sigmoid,
    "cyclical": Cyclical,
}


def make_schedule(schedule: str, **options: Any) -> Schedule:
    """The schedule of that name with its arguments.

    Raises:
        ValueError: for an unknown name or whatever the schedule refuses.

    Example:
        >>> make_schedule("linear", steps=100)
        Linear(steps=100, start=0.0, stop=1.0)
    """
    chosen = SCHEDULES[choice("schedule", schedule, SCHEDULES)]
    keywords(chosen, options)
    return chosen(**options)


DECAYS = ("none", "linear", "cosine")


def make_decay(lr_decay: str, steps: int) -> Schedule:
    """What the learning rate is multiplied with: 1 throughout (``none``), or falling from 1 to 0 over ``steps``.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> make_decay("linear", 100)(75)
        0.25
    """
    if choice("lr_decay", lr_decay, DECAYS) == "none":
        return Constant()
    return (Linear if lr_decay == "linear" else Cosine)(steps=steps, start=1, stop=0)
