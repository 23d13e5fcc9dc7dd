"""Some rows of an array that may lie on disk: what a split of a data set larger than memory holds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 4_000_000  # pixels read at a time


@dataclass(frozen=True)
class Rows:
    """The images ``whole[order]`` (N, C, H, W), of which only those asked for are read.

    It answers what a split asks of a tensor: ``shape``, ``dtype``, ``len`` and ``index_select``.

    Example:
        >>> rows = Rows(torch.arange(5), torch.tensor([4, 0, 2]))
        >>> rows.index_select(0, torch.tensor([0, 2]))
        tensor([4, 2])
    """

    whole: Tensor  # (M, C, H, W)
    order: Tensor  # (N,), int64

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return (len(self.order), *self.whole.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """That of the array."""
        return self.whole.dtype

    def __len__(self) -> int:
        return len(self.order)

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """The images with these indices (B,), in memory; ``dim`` is 0, as for a tensor."""
        return self.whole.index_select(dim, self.order[indices])

    def part(self, indices: Tensor) -> "Rows":
        """The images with these indices (B,), where they are."""
        return Rows(self.whole, self.order[indices])


Images = Tensor | Rows


def chunks(images: Images) -> Iterator[Tensor]:
    """All images, in order, ``CHUNK`` pixels at a time.

    Example:
        >>> [len(part) for part in chunks(torch.zeros(5, 1, 2000, 1000))]
        [2, 2, 1]
    """
    size = max(CHUNK // math.prod(images.shape[1:]), 1)
    for indices in torch.arange(len(images)).split(size):
        yield images.index_select(0, indices)
