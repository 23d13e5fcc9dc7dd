"""Schedules: pure functions ``step -> float`` over optimizer steps.

``end`` is the first step from which the value stays at its final one; the best checkpoint is chosen only from there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from vae_lab.checks import ArgumentError, choice, integer, keywords, number


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
class Exponential(Linear):
    """A ramp that changes by the same factor at each step, from ``start`` to ``stop``, which are both above 0.

    start · (stop / start)^u, with the progress u in [0, 1]

    Example:
        >>> [round(Exponential(steps=100)(step), 4) for step in (0, 50, 100, 500)]
        [0.01, 0.1, 1.0, 1.0]
    """

    start: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        number("start", self.start, above=0, high=1)
        number("stop", self.stop, above=0, high=1)

    def __call__(self, step: int) -> float:
        progress = min(max(step / self.steps, 0.0), 1.0)
        return float(self.start * (self.stop / self.start) ** progress)


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
    "exponential": Exponential,
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


@dataclass(frozen=True)
class Staircase:
    """Falls by ``factor`` at each of ``milestones``, which are fractions of ``steps``.

    factor^(number of milestones m with m · steps ≤ step)

    Example:
        >>> stairs = Staircase(steps=100, milestones=(0.4, 0.7), factor=0.5)
        >>> [stairs(step) for step in (0, 39, 40, 70, 100)]
        [1.0, 1.0, 0.5, 0.25, 0.25]
    """

    steps: int
    milestones: tuple[float, ...]
    factor: float

    @property
    def end(self) -> int:
        return max(math.ceil(fraction * self.steps) for fraction in self.milestones)

    def __call__(self, step: int) -> float:
        return float(self.factor ** sum(fraction * self.steps <= step for fraction in self.milestones))


DECAYS = ("none", "linear", "cosine", "step")


@dataclass(frozen=True)
class Decay:
    """How the learning rate falls over a run; called with the run's steps, it gives the schedule of its factor.

    Args:
        lr_decay: ``none``: 1 throughout; ``linear``, ``cosine``: from 1 to 0; ``step``: a :class:`Staircase`.
        lr_milestones: where the stairs are, as fractions of the run.
        lr_factor: of each stair.

    Raises:
        ValueError: for an unknown name, and for milestones or a factor outside (0, 1].

    Example:
        >>> Decay("linear")(100)(75)
        0.25
    """

    lr_decay: str = "none"
    lr_milestones: Sequence[float] = (0.5,)
    lr_factor: float = 0.1

    def __post_init__(self) -> None:
        choice("lr_decay", self.lr_decay, DECAYS)
        number("lr_factor", self.lr_factor, above=0, high=1)
        listed = isinstance(self.lr_milestones, Sequence) and not isinstance(self.lr_milestones, str)
        if not listed or not self.lr_milestones:
            raise ArgumentError("lr_milestones", self.lr_milestones, "must be a list of fractions of the run")
        for fraction in self.lr_milestones:
            number("lr_milestones", fraction, above=0, high=1)

    @property
    def constant(self) -> bool:
        """Whether the learning rate stays as it is."""
        return self.lr_decay == "none"

    def __call__(self, steps: int) -> Schedule:
        if self.lr_decay == "step":
            return Staircase(steps, tuple(self.lr_milestones), self.lr_factor)
        if self.constant:
            return Constant()
        return (Linear if self.lr_decay == "linear" else Cosine)(steps=steps, start=1, stop=0)

    @classmethod
    def taken_from(cls, optimizer: dict[str, Any]) -> "Decay":
        """Take its settings out of those of an optimizer."""
        return cls(**{field.name: optimizer.pop(field.name) for field in fields(cls) if field.name in optimizer})


NO_DECAY = Decay()
