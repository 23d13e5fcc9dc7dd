"""The perceptual term of the loss."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class PerceptualDistance(Metric):
    """The mean over a split of the perceptual distance that the loss adds, where it adds one.

    ``update`` takes ``extra``, the loss' further terms by name, and ``x`` (B, C, H, W); ``compute`` gives
    ``perceptual`` ().

    Example:
        >>> metric = PerceptualDistance()
        >>> metric.update({"perceptual": torch.tensor(0.5)}, torch.zeros(2, 1, 4, 4))
        >>> metric.compute()["perceptual"].item()
        0.5
    """

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    @classmethod
    def applies(cls, model: Any, image_shape: tuple[int, int, int]) -> bool:
        """Whether the loss has such a term, and its features are there."""
        return model.perceptual is not None and model.perceptual.features is not None

    def update(self, extra: Mapping[str, Tensor], x: Tensor) -> None:
        self.total += extra["perceptual"].double() * len(x)
        self.count += len(x)

    def compute(self) -> dict[str, Tensor]:
        return {"perceptual": self.total / self.count}
