"""Gaussian data with exactly known eigenvalues: what the linear theory predicts can be read off to the digit."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vae_lab import noise
from vae_lab.checks import ArgumentError, flag, integer, number
from vae_lab.data.images import FEWEST, SPLIT_SEED, ImageData, Split

Floats = NDArray[np.float64]


@lru_cache(maxsize=1)  # a sweep over data sets keeps no more than the last one
def load(eigenvalues: tuple[float, ...], rotate: bool, size: int) -> dict[str, Split]:
    """Draw train, val and test, ``size`` images (N, 1, 1, P) each; the same for every run and seed."""
    axes = rotation(len(eigenvalues)) if rotate else np.eye(len(eigenvalues))
    stretch = axes * np.sqrt(eigenvalues)
    splits = {}
    for name in ("train", "val", "test"):
        images = white(size, len(eigenvalues), f"gaussian/{name}") @ stretch.T
        splits[name] = Split(torch.from_numpy(images).float().view(size, 1, 1, -1))
    return splits


def white(n: int, p: int, purpose: str) -> Floats:
    """Gaussian draws (N, P), N > P, brought to mean 0 and biased covariance I."""
    draws = noise.generator(SPLIT_SEED, purpose).standard_normal((n, p))
    return orthonormal(draws - draws.mean(0)) * math.sqrt(n)


def rotation(p: int) -> Floats:
    """The principal axes as columns (P, P): one fixed draw of a Haar orthogonal matrix."""
    return orthonormal(noise.generator(SPLIT_SEED, "gaussian/rotation").standard_normal((p, p)))


def orthonormal(matrix: Floats) -> Floats:
    """Q (N, P) of ``matrix`` = QR with a positive diagonal of R, which makes it unique (Mezzadri 2007)."""
    q, r = np.linalg.qr(matrix)
    unique: Floats = q * np.sign(np.diag(r))
    return unique


def falling(eigenvalues: Iterable[float]) -> list[float]:
    """The eigenvalues as floats, sorted falling.

    Raises:
        ValueError: when they are no non-empty list of finite numbers > 0.
    """
    try:
        values = sorted((number("eigenvalues", value, above=0) for value in eigenvalues), reverse=True)
    except (TypeError, ValueError):
        values = []
    if not values:
        raise ArgumentError("eigenvalues", eigenvalues, "must be a non-empty list of finite numbers > 0")
    return values


class GaussianData(ImageData):
    """Gaussian images (1, 1, P) whose covariance has exactly the given eigenvalues, in each split.

    Each split is whitened on its own: its mean is 0 and its biased (1/N) covariance as stated, to float32 rounding,
    which is relative to the largest eigenvalue. ``training_sample`` is exact too up to 10,000 images.

    Args:
        eigenvalues: the P variances along the principal axes, > 0, in any order.
        rotate: turn the principal axes by a fixed random rotation, the same for all splits; else pixel i has the i-th
            largest variance and no pixels covary.
        size: images per split, more than P.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: when an eigenvalue is not a finite number > 0, or there are too few images to have them all.
    """

    def __init__(
        self,
        eigenvalues: Sequence[float] = (4, 2, 1, 0.5, 0.2, 0.1),
        rotate: bool = True,
        size: int = 2000,
        **options: Any,
    ) -> None:
        self.eigenvalues, self.rotate = falling(eigenvalues), flag("rotate", rotate)
        self.size = integer("size", size, low=max(len(self.eigenvalues) + 1, FEWEST))
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        return dict(load(tuple(self.eigenvalues), self.rotate, self.size))
