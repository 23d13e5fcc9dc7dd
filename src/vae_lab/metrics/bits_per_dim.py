"""Bits per dimension: the ELBO in the unit in which images of any size compare."""

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class BitsPerDim(Metric):
    """The negative ELBO in bits per pixel and channel.

    bits_per_dim = (rate + distortion) / (C·H·W · ln 2)

    Of a discrete likelihood only: a density can be scaled to any figure. ``update`` takes ``rate`` (B, D) and
    ``distortion`` (B,), nats; ``compute`` gives ``bits_per_dim`` ().

    Args:
        image_shape: (C, H, W).

    Example:
        >>> metric = BitsPerDim(image_shape=(1, 2, 2))
        >>> metric.update(rate=torch.zeros(3, 2), distortion=torch.full((3,), 4 * 8 * math.log(2)))
        >>> round(metric.compute()["bits_per_dim"].item(), 6)
        8.0
    """

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        self.values = math.prod(image_shape)
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    @classmethod
    def applies(cls, model: Any, image_shape: tuple[int, int, int]) -> bool:
        """Whether the model's likelihood counts levels of a pixel."""
        return bool(model.likelihood.discrete)

    def update(self, rate: Tensor, distortion: Tensor) -> None:
        self.total += rate.double().sum() + distortion.double().sum()
        self.count += len(rate)

    def compute(self) -> dict[str, Tensor]:
        return {"bits_per_dim": self.total / (self.count * self.values * math.log(2))}
