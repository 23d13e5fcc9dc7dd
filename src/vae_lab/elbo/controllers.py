"""Controllers: maps ``(state, measured) -> (state, weight)`` that hold a measured figure at a target.

``measured`` is a batch mean in nats per image, () ; ``state`` a small tensor that starts as ``start()``; the weight ()
multiplies the rate in the loss. A controller keeps no state of its own: its numbers are buffers, so that a sweep may
move them, many controllers can be stacked, and a checkpoint of numbers and state resumes it.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from vae_lab.checks import integer, number


class Controller(nn.Module):
    """Base of all controllers.

    ``measures`` says what it is fed: ``rate`` or ``distortion``. ``target`` is what it holds that at, ``low`` and
    ``high`` bound the weight; each is a buffer ().
    """

    measures: ClassVar[str]
    target: Tensor
    low: Tensor
    high: Tensor

    def register_numbers(self, **numbers: float) -> None:
        """Keep each number as a buffer () of that name."""
        for name, value in numbers.items():
            self.register_buffer(name, torch.tensor(float(value)))

    def start(self) -> Tensor:
        """Return the state before the first measurement, (S,)."""
        raise NotImplementedError

    def forward(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state (S,) and the weight () after a measurement ()."""
        raise NotImplementedError


def check_range(low: float, high: float, start_weight: float) -> None:
    """Refuse bounds of a weight that do not fit.

    Raises:
        ValueError: unless 0 <= low < high and ``start_weight`` lies between them.
    """
    number("low", low, low=0)
    number("high", high, above=low)
    number("start_weight", start_weight, low=low, high=high)


class Adaptive(Controller):
    """Adaptive free bits: the weight moves by a tenth to hold the rate at a target (Chen et al. 2017).

    weight ← weight · (1 + step) where the rate lies above (1 + tolerance) · target,
    weight ← weight · (1 - step) where it lies below the target,

    once every ``every`` steps, judged by the mean of their rates. ``low`` and ``high`` bound the weight: with high = 1
    it never pushes harder than the ELBO.

    Args:
        target: the rate to hold, nats per image, > 0.
        step: the fraction by which the weight moves.
        tolerance: how far above the target, as a fraction of it, the rate may lie.
        every: optimizer steps from one move to the next.
        low: the least weight, > 0.
        high: the largest weight.
        start_weight: the weight before the first move.

    Raises:
        ValueError: for a number out of its range.

    Example:
        >>> controller = Adaptive(target=3.0, every=1)
        >>> state, weight = controller(controller.start(), torch.tensor(7.0))
        >>> weight
        tensor(1.1000)
    """

    measures: ClassVar = "rate"
    step: Tensor
    tolerance: Tensor
    every: Tensor
    start_weight: Tensor

    def __init__(
        self,
        target: float,
        step: float = 0.1,
        tolerance: float = 0.05,
        every: int = 10,
        low: float = 1e-4,
        high: float = 100.0,
        start_weight: float = 1.0,
    ) -> None:
        super().__init__()
        number("target", target, above=0)
        number("step", step, above=0, high=0.9)
        number("tolerance", tolerance, low=0)
        integer("every", every)
        number("low", low, above=0)
        check_range(low, high, start_weight)
        self.register_numbers(target=target, step=step, tolerance=tolerance, every=every)
        self.register_numbers(low=low, high=high, start_weight=start_weight)

    def start(self) -> Tensor:
        """Return the weight, and sum and number of the rates since it moved, (3,)."""
        zero = torch.zeros_like(self.start_weight)
        return torch.stack([self.start_weight, zero, zero])

    def forward(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        weight, total, count = state[0], state[1] + measured, state[2] + 1
        mean, due = total / count, count >= self.every
        moved = torch.where(mean < self.target, weight * (1 - self.step), weight)
        moved = torch.where(mean > (1 + self.tolerance) * self.target, weight * (1 + self.step), moved)
        weight = torch.where(due, moved.clamp(self.low, self.high), weight)
        return torch.stack([weight, torch.where(due, 0.0, total), torch.where(due, 0.0, count)]), weight


def proportional_integral(
    integral: Tensor, measured: Tensor, target: Tensor, kp: Tensor, ki: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of ``ProportionalIntegral``: its integral () and its weight () after a measurement ()."""
    error = target - measured
    proportional = low + kp * torch.sigmoid(-error)
    lowest = torch.minimum(integral, low - proportional)
    highest = torch.maximum(integral, high - proportional)
    integral = (integral - ki * error).clamp(lowest, highest)
    return integral, (proportional + integral).clamp(low, high)


class ProportionalIntegral(Controller):
    """ControlVAE: a PI controller holds the rate at a target (Shao et al. 2020).

    weight = kp / (1 + exp e) - ki · Σ e + low, with e = target - rate,

    held between ``low`` and ``high``. The sum goes no further than takes the weight to its bound (anti-windup): it
    leaves the bound at once when the error turns.

    Args:
        target: the rate to hold, nats per image, > 0.
        kp: the proportional gain, >= 0.
        ki: the integral gain, > 0.
        low: the least weight.
        high: the largest weight.

    Raises:
        ValueError: for a number out of its range.

    Example:
        >>> controller = ProportionalIntegral(target=3.0, kp=0.2, low=1.0)
        >>> state, weight = controller(controller.start(), torch.tensor(3.0))
        >>> weight
        tensor(1.1000)
    """

    measures: ClassVar = "rate"
    kp: Tensor
    ki: Tensor

    def __init__(
        self, target: float, kp: float = 0.01, ki: float = 0.001, low: float = 0.0, high: float = 100.0
    ) -> None:
        super().__init__()
        number("target", target, above=0)
        number("kp", kp, low=0)
        number("ki", ki, above=0)
        check_range(low, high, low)
        self.register_numbers(target=target, kp=kp, ki=ki, low=low, high=high)

    def start(self) -> Tensor:
        """Return the integral, -ki · Σ e, (1,)."""
        return torch.zeros_like(self.target)[None]

    def forward(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        numbers = (self.target, self.kp, self.ki, self.low, self.high)
        integral, weight = proportional_integral(state[0], measured, *numbers)
        return integral[None], weight


class Geco(Controller):
    """GECO: the least rate whose distortion does not exceed a target (Rezende & Viola 2018, algorithm 1).

    λ ← λ · exp(speed · C), C ← memory · C + (1 - memory) · (distortion - target)

    is their multiplier λ of the constraint's moving average C; the loss here is theirs divided by λ, so that the
    distortion keeps the weight 1 and the rate gets 1/λ. The exponent is held within ±``LIMIT``, and 1/λ between ``low``
    and ``high``.

    Args:
        target: the distortion to hold, nats per image.
        speed: how fast the multiplier follows, > 0.
        memory: the moving average's, in [0, 1).
        low: the least weight of the rate, > 0.
        high: its largest.
        start_weight: its weight before the first move.

    Raises:
        ValueError: for a number out of its range.

    Example:
        >>> controller = Geco(target=20.0)
        >>> state, weight = controller(controller.start(), torch.tensor(25.0))
        >>> weight
        tensor(0.9512)
    """

    LIMIT: ClassVar = 0.1
    measures: ClassVar = "distortion"
    speed: Tensor
    memory: Tensor
    start_weight: Tensor

    def __init__(
        self,
        target: float,
        speed: float = 0.01,
        memory: float = 0.99,
        low: float = 1e-4,
        high: float = 1e4,
        start_weight: float = 1.0,
    ) -> None:
        super().__init__()
        number("target", target)
        number("speed", speed, above=0)
        number("memory", memory, low=0, high=math.nextafter(1, 0))
        number("low", low, above=0)
        check_range(low, high, start_weight)
        self.register_numbers(target=target, speed=speed, memory=memory)
        self.register_numbers(low=low, high=high, start_weight=start_weight)

    def start(self) -> Tensor:
        """Return 1/λ, the average of C, and 1 once there is one, (3,)."""
        zero = torch.zeros_like(self.start_weight)
        return torch.stack([self.start_weight, zero, zero])

    def forward(self, state: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        excess = measured - self.target
        memory = self.memory * state[2]  # the average starts as the first excess
        average = memory * state[1] + (1 - memory) * excess
        change = (self.speed * average).clamp(-self.LIMIT, self.LIMIT)
        weight = (state[0] * (-change).exp()).clamp(self.low, self.high)
        return torch.stack([weight, average, torch.ones_like(weight)]), weight
