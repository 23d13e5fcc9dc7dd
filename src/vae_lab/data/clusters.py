"""Clusters on axes of their own: data on which the collapsed state is a local optimum, and not the best one."""

import math
from typing import Any

import torch

from vae_lab.checks import ArgumentError, integer, number
from vae_lab.data.images import FEWEST, ImageData, Split


class Clusters(ImageData):
    """Images (1, 1, K) that are one of K points, each on a pixel's axis; every split holds each point equally often.

    x = √(K λ) · e_c, with c = 0, ..., K-1 equally likely

    Their covariance has the eigenvalue λ, K-1 times, and 0. To know c saves a Gaussian likelihood of variance σ²
    ½ λ (K-1) / σ² nats and costs log K. So for λ below βσ² each single direction costs more than it saves, and the
    collapsed state is a local optimum, while for a large K another one lies far below it.

    Args:
        clusters: K >= 2.
        eigenvalue: λ > 0, in squared pixel units.
        size: images per split, a multiple of K.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: for a number out of its range.

    Example:
        >>> data = Clusters(clusters=2, eigenvalue=0.5, size=10, batch_size=2)
        >>> data.splits["train"].images[:2].flatten(1)
        tensor([[1., 0.],
                [0., 1.]])
    """

    def __init__(self, clusters: int = 32, eigenvalue: float = 0.03, size: int = 1920, **options: Any) -> None:
        self.clusters = integer("clusters", clusters, low=2)
        self.eigenvalue = number("eigenvalue", eigenvalue, above=0)
        self.size = integer("size", size, low=FEWEST)
        if size % clusters:
            raise ArgumentError("size", size, f"must be a multiple of clusters={clusters}")
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        points = math.sqrt(self.clusters * self.eigenvalue) * torch.eye(self.clusters)
        labels = torch.arange(self.size) % self.clusters
        split = Split(points[labels].view(self.size, 1, 1, self.clusters), labels)
        return dict.fromkeys(("train", "val", "test"), split)
