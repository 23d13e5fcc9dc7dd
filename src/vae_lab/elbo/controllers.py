"""Controllers: pure functions ``(state, measured) -> (state, weight)`` that hold a measured figure at a target.

``measured`` is a batch mean in nats per image, () ; ``state`` a small tensor that starts as ``start()``; the weight ()
multiplies the rate in the loss. None of them looks at anything else, so that a checkpoint of the state resumes them.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from vae_lab.checks import integer, number


class Controller(Protocol):
    """What every controller offers. ``measures`` says what it is fed: ``rate`` or ``distortion``."""

    measures: ClassVar[str]

    @property
    def target(self) -> float: ...

    def start(self) -> Tensor: ...

    def __call__(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]: ...


def check_range(low: float, high: float, start_weight: float) -> None:
    """Raise ``ValueError`` unless 0 <= low < high and ``start_weight`` lies between them."""
    number("low", low, low=0)
    number("high", high, above=low)
    number("start_weight", start_weight, low=low, high=high)


@dataclass(frozen=True)
class Adaptive:
    """Adaptive free bits: the weight moves by a tenth to hold the rate at ``target`` (Chen et al. 2017).

    Up by the fraction ``step`` when the rate lies above (1 + ``tolerance``) · target, down by it when it lies below the
    target; once every ``every`` steps, judged by their mean. ``low`` and ``high`` bound the weight: with high = 1 it
    never pushes harder than the ELBO.
    """

    measures: ClassVar = "rate"
    target: float
    step: float = 0.1
    tolerance: float = 0.05
    every: int = 10
    low: float = 1e-4
    high: float = 100.0
    start_weight: float = 1.0

    def __post_init__(self) -> None:
        number("target", self.target, above=0)
        number("step", self.step, above=0, high=0.9)
        number("tolerance", self.tolerance, low=0)
        integer("every", self.every)
        number("low", self.low, above=0)
        check_range(self.low, self.high, self.start_weight)

    def start(self) -> Tensor:
        return torch.tensor([self.start_weight, 0.0, 0.0])  # weight, sum and number of the rates since it moved

    def __call__(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        weight, total, count = state[0], state[1] + measured, state[2] + 1
        mean, due = total / count, count >= self.every
        moved = torch.where(mean < self.target, weight * (1 - self.step), weight)
        moved = torch.where(mean > (1 + self.tolerance) * self.target, weight * (1 + self.step), moved)
        weight = torch.where(due, moved.clamp(self.low, self.high), weight)
        return torch.stack([weight, torch.where(due, 0.0, total), torch.where(due, 0.0, count)]), weight


@dataclass(frozen=True)
class ProportionalIntegral:
    """ControlVAE: a PI controller holds the rate at ``target`` (Shao et al. 2020).

    With e = target - rate, the weight is kp / (1 + exp e) - ki · Σ e + low, held between ``low`` and ``high``. The sum
    goes no further than takes the weight to its bound (anti-windup): it leaves the bound at once when the error turns.
    """

    measures: ClassVar = "rate"
    target: float
    kp: float = 0.01
    ki: float = 0.001
    low: float = 0.0
    high: float = 100.0

    def __post_init__(self) -> None:
        number("target", self.target, above=0)
        number("kp", self.kp, low=0)
        number("ki", self.ki, above=0)
        check_range(self.low, self.high, self.low)

    def start(self) -> Tensor:
        return torch.zeros(1)  # the integral, -ki · Σ e

    def __call__(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        error = self.target - measured
        proportional = self.low + self.kp * torch.sigmoid(-error)
        least = torch.minimum(state[0], self.low - proportional)
        most = torch.maximum(state[0], self.high - proportional)
        integral = (state[0] - self.ki * error).clamp(least, most)
        return integral[None], (proportional + integral).clamp(self.low, self.high)


@dataclass(frozen=True)
class Geco:
    """GECO: the least rate whose distortion does not exceed ``target`` (Rezende & Viola 2018, algorithm 1).

    Their multiplier λ of the constraint's moving average C grows as λ · exp(speed · C); the loss here is theirs divided
    by λ, so that the distortion keeps the weight 1 and the rate gets 1/λ. The exponent is held within ±``LIMIT``, and
    1/λ between ``low`` and ``high``.
    """

    LIMIT: ClassVar = 0.1
    measures: ClassVar = "distortion"
    target: float
    speed: float = 0.01
    memory: float = 0.99
    low: float = 1e-4
    high: float = 1e4
    start_weight: float = 1.0

    def __post_init__(self) -> None:
        number("target", self.target)
        number("speed", self.speed, above=0)
        number("memory", self.memory, low=0, high=math.nextafter(1, 0))
        number("low", self.low, above=0)
        check_range(self.low, self.high, self.start_weight)

    def start(self) -> Tensor:
        return torch.tensor([self.start_weight, 0.0, 0.0])  # 1/λ, the average of C, and 1 once there is one

    def __call__(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        excess = measured - self.target
        memory = self.memory * state[2]  # the average starts as the first excess
        average = memory * state[1] + (1 - memory) * excess
        change = (self.speed * average).clamp(-self.LIMIT, self.LIMIT)
        weight = (state[0] * (-change).exp()).clamp(self.low, self.high)
        return torch.stack([weight, average, torch.ones_like(weight)]), weight
