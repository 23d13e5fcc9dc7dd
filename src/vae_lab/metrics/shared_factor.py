"""Images of a split that share the value of one factor: what the scores by intervention draw. N images, F factors."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vae_lab import noise

Rows = NDArray[np.int64]


class SharedFactor:
    """Draws images (N, F) that share a factor, with replacement, each draw by (seed, purpose, index).

    The factor is one of those with several values, each as likely. A shared value is that of a random image, so that
    it is as likely as it is frequent; only images that the split has are drawn, none is rendered.

    Args:
        factors: (N, F), whole numbers.
        seed: of the draws.
        purpose: likewise.

    Raises:
        ValueError: when no factor has two values.

    Example:
        >>> import torch
        >>> draws = SharedFactor(torch.tensor([[0, 5], [1, 5], [0, 5], [1, 5]]), seed=0, purpose="example")
        >>> factor, one, other = draws.pairs(index=3, count=10)
        >>> factor, bool((one % 2 == other % 2).all())  # rows 0 and 2 share the first factor, 1 and 3 too
        (0, True)
    """

    def __init__(self, factors: Tensor, seed: int, purpose: str) -> None:
        self.values = factors.cpu().numpy()
        self.varying = [k for k, column in enumerate(self.values.T) if len(set(column.tolist())) > 1]
        if not self.varying:
            raise ValueError("factors: each has one value; a score of disentanglement needs one that varies")
        self.seed, self.purpose = seed, purpose
        self.order = np.argsort(self.values, axis=0, kind="stable")  # of the images, by the value of each factor
        ordered = np.take_along_axis(self.values, self.order, 0)
        pairs = list(zip(ordered.T, self.values.T, strict=True))
        # (N, F) each: where, in that order, the images with the value of this one begin and end
        self.first = np.stack([np.searchsorted(column, value, "left") for column, value in pairs], 1)
        self.end = np.stack([np.searchsorted(column, value, "right") for column, value in pairs], 1)

    def pairs(self, index: int, count: int) -> tuple[int, Rows, Rows]:
        """A factor and ``count`` pairs of rows (count,), (count,), of which each shares a value of that factor."""
        generator = noise.generator(self.seed, self.purpose, index)
        k = self.varying[generator.integers(len(self.varying))]
        one = generator.integers(len(self.values), size=count)
        return k, one, self.order[generator.integers(self.first[one, k], self.end[one, k]), k]

    def batch(self, index: int, count: int) -> tuple[int, Rows]:
        """A factor and ``count`` rows (count,) that all share one value of it."""
        generator = noise.generator(self.seed, self.purpose, index)
        k = self.varying[generator.integers(len(self.varying))]
        one = generator.integers(len(self.values))
        return k, self.order[generator.integers(self.first[one, k], self.end[one, k], size=count), k]
