"""What a rate costs in a loss: the place of every callback that moves, clamps, aims or controls it."""

from typing import Any

import torch
from torch import Tensor, nn

from vae_lab.checks import ArgumentError
from vae_lab.elbo.penalties import Penalty, PlainPenalty


class RateCost(nn.Module):
    """A mixin for a LightningModule, ours or one's own, whose loss is distortion + ``rate_cost(rate)``.

    rate_cost = kl_weight · penalty(rate)

    At first both leave the rate as it is. KL annealing fills the buffer ``kl_weight`` (); free bits, capacity and
    control put their penalty into ``penalty``. A trainer whose module has such a callback and never pays is stopped
    after its first step.

    Args:
        parts: whatever the other base class takes.

    Example:
        >>> class Mine(RateCost, torch.nn.Module):
        ...     def loss(self, distortion, rate):  # (B,) and (B, D)
        ...         return distortion.mean() + self.rate_cost(rate)
        >>> mine, rate = Mine(), torch.tensor([[0.5, 1.0], [1.5, 2.0]])
        >>> mine.loss(torch.tensor([20.0, 30.0]), rate)
        tensor(27.5000)
        >>> mine.kl_weight.fill_(0.5)
        tensor(0.5000)
        >>> mine.loss(torch.tensor([20.0, 30.0]), rate)
        tensor(26.2500)
    """

    kl_weight: Tensor
    penalty: Penalty

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.register_buffer("kl_weight", torch.tensor(1.0))
        self.penalty = PlainPenalty()

    def rate_cost(self, rate: Tensor) -> Tensor:
        """Return what the loss pays, (), nats per image, for a rate (B, D): the KL of each image and dimension.

        Raises:
            ArgumentError: for a rate of another shape, such as one that is summed already.
        """
        if rate.ndim != 2:
            allowed = "must be (B, D), the KL of each image and dimension; nothing summed, more dimensions flattened"
            raise ArgumentError("rate", tuple(rate.shape), allowed)
        cost: Tensor = self.kl_weight * self.penalty(rate)
        return cost
