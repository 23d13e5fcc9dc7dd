"""Figures that need all images of a split at once, or an evenly spread part of them."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from vae_lab.checks import integer

GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # 2⁶⁴ / golden ratio, as a signed 64-bit number


def spread(indices: Tensor) -> Tensor:
    """Ranks (B,), int64, of image indices (B,): the n lowest ranks lie evenly over any split, however it is sorted.

    The multiples of the golden ratio modulo 1 (a Weyl sequence) have that property, and need no length.

    Example:
        >>> spread(torch.arange(1000)).argsort()[:5].sort().values
        tensor([161, 305, 538, 771, 915])
    """
    return indices * GOLDEN  # overflow wraps around, which is the modulo


class PerImage(Metric):
    """Base of metrics that ``keep`` something of each image until the pass is over.

    What is kept goes by the image's index: neither the order nor the size of batches changes a figure.

    Args:
        names: what is kept.
        images: how many images are kept, evenly spread over the split; None keeps all.

    Raises:
        ValueError: when ``images`` is not a whole number >= 2.
    """

    full_state_update = False
    indices: list[Tensor]

    def __init__(self, *names: str, images: int | None = None) -> None:
        super().__init__()
        self.names = names
        self.images = None if images is None else integer("images", images, low=2)
        for name in ("indices", *names):
            self.add_state(name, [], dist_reduce_fx="cat")

    def keep(self, indices: Tensor, *parts: Tensor) -> None:
        """Keep the parts, each (B, ...) and in the order of ``names``, of the images with these indices (B,)."""
        rows = (indices, *parts)
        if self.images is not None and sum(map(len, self.indices)) + len(indices) > self.images:
            lowest = spread(torch.cat([*self.indices, indices])).kthvalue(self.images).values
            entering = (spread(indices) <= lowest).nonzero()[:, 0]
            rows = tuple(part.index_select(0, entering) for part in rows)
        for name, part in zip(("indices", *self.names), rows, strict=True):
            getattr(self, name).append(part)
        if self.images is not None and sum(map(len, self.indices)) > 2 * self.images:
            self.drop()

    def drop(self) -> None:
        """Forget what is not among the ``images`` lowest ranks."""
        rows = self.chosen(dim_zero_cat(self.indices))
        for name in ("indices", *self.names):
            kept = dim_zero_cat(getattr(self, name)).index_select(0, rows)
            getattr(self, name)[:] = [kept]

    def chosen(self, indices: Tensor) -> Tensor:
        """The rows of the images to measure, by rising index."""
        rows = spread(indices).argsort()[: self.images] if self.images is not None else torch.arange(len(indices))
        rows = rows.to(indices.device)
        return rows[indices[rows].argsort()]

    def kept(self) -> list[Any]:
        """What was kept, (N, ...) each, in the order of ``names`` and by rising index of the image."""
        rows = self.chosen(dim_zero_cat(self.indices))
        return [dim_zero_cat(getattr(self, name)).index_select(0, rows) for name in self.names]

    def kept_indices(self) -> Tensor:
        """The indices (N,) of the images that ``kept`` speaks of."""
        indices = dim_zero_cat(self.indices)
        return indices.index_select(0, self.chosen(indices))
