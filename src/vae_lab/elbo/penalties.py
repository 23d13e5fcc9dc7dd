"""Penalties: how the rate of a batch, shape (B, D), becomes the number that the loss pays for. Pure torch, nats.

The penalised rate is not the rate: with free bits it stays at its floor while the true KL may lie below. Metrics
always report the true rate. A clamp is flat, so below ε no gradient pulls a dimension up; it is no longer pushed down.
Means over the batch are over the batch of all processes of a run.
Strengths are buffers: callbacks and controllers fill them, no compiled loss notices.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from vae_lab.checks import choice, number
from vae_lab.collective import batch_mean
from vae_lab.elbo.controllers import Controller

FREE_BITS = ("dimension", "sample", "total")


def free_bits(rate: Tensor, epsilon: Tensor, mode: str) -> Tensor:
    """The rate (B, D), clamped from below at ε () as ``FreeBitsPenalty`` explains for each mode: (), nats per image."""
    if mode == "dimension":
        return batch_mean(rate).clamp(min=epsilon).sum()
    if mode == "sample":
        return batch_mean(rate.clamp(min=epsilon).sum(1))
    return batch_mean(rate.sum(1)).clamp(min=epsilon)


def capacity(rate: Tensor, target: Tensor, gamma: Tensor) -> Tensor:
    """γ times the distance of the batch's mean rate, from (B, D), to a target () in nats: (), nats per image."""
    return gamma * (batch_mean(rate.sum(1)) - target).abs()


class Penalty(nn.Module):
    """Base of all penalties.

    ``plain`` says that the penalty is the rate itself, so that the loss stays the ELBO with a weight.
    """

    plain: ClassVar[bool] = False

    def forward(self, rate: Tensor) -> Tensor:
        """Map the rate (B, D) in nats to a penalty () in nats per image."""
        raise NotImplementedError

    def floor(self, latent_dim: int) -> float:
        """Return the rate, in nats per image, below which this penalty no longer pushes."""
        return 0.0

    def price(self) -> float:
        """Return what one nat of rate costs; where the penalty pulls a low rate up, what it earns, as a negative."""
        return 1.0

    def distortion_target(self) -> float | None:
        """Return the distortion, nats per image, at which it holds the model; None where there is none."""
        return None


class PlainPenalty(Penalty):
    """The rate itself.

    penalty = mean_b Σ_d rate_bd

    Example:
        >>> PlainPenalty()(torch.tensor([[0.5, 1.0], [1.5, 2.0]]))
        tensor(2.5000)
    """

    plain: ClassVar[bool] = True

    def forward(self, rate: Tensor) -> Tensor:
        return batch_mean(rate.sum(1))


class FreeBitsPenalty(Penalty):
    """Free bits: the rate costs nothing below ε (Kingma et al. 2016, equation 15 and appendix C.8).

    ``mode`` says what is clamped from below at ε:

    - ``dimension``: the batch mean of each dimension, as in the paper with one dimension per group; ε in nats per
      dimension:

      penalty = Σ_d max(ε, mean_b rate_bd)

    - ``sample``: each dimension of each sample; ε in nats per dimension:

      penalty = mean_b Σ_d max(ε, rate_bd)

    - ``total``: the batch mean of the whole rate; ε in nats per image:

      penalty = max(ε, mean_b Σ_d rate_bd)

    Raises:
        ValueError: for an unknown mode or a negative ε.

    Example:
        >>> FreeBitsPenalty("dimension", epsilon=1.0)(torch.tensor([[0.2, 1.0], [0.4, 2.0]]))
        tensor(2.5000)
    """

    modes: ClassVar = FREE_BITS
    epsilon: Tensor

    def __init__(self, mode: str = "dimension", epsilon: float = 0.25) -> None:
        super().__init__()
        self.mode = choice("mode", mode, self.modes)
        self.register_buffer("epsilon", torch.tensor(number("epsilon", epsilon, low=0)))

    def forward(self, rate: Tensor) -> Tensor:
        return free_bits(rate, self.epsilon, self.mode)

    def floor(self, latent_dim: int) -> float:
        return float(self.epsilon) * (1 if self.mode == "total" else latent_dim)


class CapacityPenalty(Penalty):
    """Capacity: a distance from a rate, on the batch mean, not per image (Burgess et al. 2018).

    penalty = γ · |mean_b Σ_d rate_bd - C|

    ``capacity`` is C, nats per image, ``gamma`` is γ. Unlike a clamp it has a slope below C: it pulls the rate up.

    Raises:
        ValueError: when γ is not positive or C is negative.

    Example:
        >>> CapacityPenalty(capacity=2.0, gamma=10.0)(torch.tensor([[0.5, 1.0], [1.5, 2.0]]))
        tensor(5.)
    """

    capacity: Tensor
    gamma: Tensor

    def __init__(self, capacity: float, gamma: float = 1000.0) -> None:
        super().__init__()
        self.register_buffer("capacity", torch.tensor(number("capacity", capacity, low=0)))
        self.register_buffer("gamma", torch.tensor(number("gamma", gamma, above=0)))

    def forward(self, rate: Tensor) -> Tensor:
        return capacity(rate, self.capacity, self.gamma)

    def floor(self, latent_dim: int) -> float:
        return float(self.capacity)

    def price(self) -> float:
        return -float(self.gamma)


class ControlledPenalty(Penalty):
    """The rate times a weight that a controller moves; its ``state`` lies here, so that a checkpoint holds it.

    penalty = weight · mean_b Σ_d rate_bd

    Args:
        controller: says how state and weight go on, and what it holds at its target: the rate or the distortion.

    Example:
        >>> from vae_lab.elbo.controllers import Adaptive
        >>> penalty = ControlledPenalty(Adaptive(target=3.0, every=1))
        >>> penalty.observe(torch.tensor(7.0))  # above the target: the rate gets dearer
        >>> penalty.price()
        1.100000023841858
    """

    state: Tensor
    weight: Tensor

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.register_buffer("state", controller.start())
        self.register_buffer("weight", torch.ones(()))
        self.weight.copy_(controller(self.state, controller.target)[1])

    def forward(self, rate: Tensor) -> Tensor:
        return self.weight * batch_mean(rate.sum(1))

    @torch.no_grad()
    def observe(self, measured: Tensor) -> None:
        """Move the weight by what was measured, (), nats per image."""
        state, weight = self.controller(self.state, measured)
        self.state.copy_(state)
        self.weight.copy_(weight)

    def floor(self, latent_dim: int) -> float:
        return float(self.controller.target) if self.controller.measures == "rate" else 0.0

    def price(self) -> float:
        return float(self.weight)

    def distortion_target(self) -> float | None:
        return float(self.controller.target) if self.controller.measures == "distortion" else None
