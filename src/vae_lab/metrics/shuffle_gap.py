"""Shuffle gap: what the decoder loses when the latents are exchanged between images."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from vae_lab import noise

MOST_DECODED, LEAST_IMAGES = 300_000, 1_000  # for all dimensions together; for each of them


class ShuffleGap(Metric):
    """How much the distortion rises when z, or one z_j alone, comes from another image of the split.

    The partner of each image is fixed by one seeded derangement of the whole split. A decoder that ignores z has a gap
    of 0 whatever its rate.

    Args:
        distortion: maps z (B, D) and x (B, C, H, W) to -log p(x|z), (B,).
        seed: of the derangement.
        per_dimension: whether to shuffle each z_j alone too, which takes D more passes over the split.
        chunk: how many images are decoded at a time.

    ``update`` takes ``x`` (B, C, H, W), ``z`` (B, D) and ``distortion`` (B,). ``compute`` gives ``shuffle_gap`` () and
    ``shuffle_gap_dim`` (D,), nats per image, each with its standard error of the paired difference, ``..._se``. With
    many dimensions the latter rest on the first images of the split, at least 1,000 of them.
    """

    full_state_update = False
    images: list[Tensor]
    zs: list[Tensor]
    distortions: list[Tensor]

    def __init__(
        self,
        distortion: Callable[[Tensor, Tensor], Tensor],
        seed: int = 0,
        per_dimension: bool = True,
        chunk: int = 500,
    ) -> None:
        super().__init__()
        self.distortion, self.seed, self.per_dimension, self.chunk = distortion, seed, per_dimension, chunk
        for name in ("images", "zs", "distortions"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, x: Tensor, z: Tensor, distortion: Tensor) -> None:
        self.images.append(x)
        self.zs.append(z)
        self.distortions.append(distortion)

    def rise(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean rise of the distortion when z (n, D) replaces the first n own latents, and its standard error."""
        images, own = dim_zero_cat(self.images)[: len(z)], dim_zero_cat(self.distortions)[: len(z)]
        pieces = zip(z.split(self.chunk), images.split(self.chunk), strict=True)
        rises = (torch.cat([self.distortion(part, x) for part, x in pieces]) - own).double()
        return rises.mean(), rises.std() / len(rises) ** 0.5

    def compute(self) -> dict[str, Tensor]:
        z = dim_zero_cat(self.zs)
        partner = z[noise.derangement(len(z), seed=self.seed, purpose="shuffle")]
        gap, error = self.rise(partner)
        figures = {"shuffle_gap": gap, "shuffle_gap_se": error}
        if self.per_dimension:
            gap_dim, error_dim = torch.stack([torch.stack(self.rise(z_j)) for z_j in self.one_by_one(z, partner)]).T
            figures |= {"shuffle_gap_dim": gap_dim, "shuffle_gap_dim_se": error_dim}
        return figures

    def one_by_one(self, z: Tensor, partner: Tensor) -> Iterator[Tensor]:
        """For each dimension the latents with that one exchanged, of as many images as ``MOST_DECODED`` leaves room."""
        dims = z.shape[1]
        first = slice(max(MOST_DECODED // dims, LEAST_IMAGES))
        for j in range(dims):
            mixed = z[first].clone()
            mixed[:, j] = partner[first, j]
            yield mixed
