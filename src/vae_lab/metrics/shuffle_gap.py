"""Shuffle gap: what the decoder loses when the latents are exchanged between images."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from vae_lab import noise


class ShuffleGap(Metric):
    """How much the distortion rises when z, or one z_j alone, comes from another image of the split.

    The partner of each image is fixed by one seeded derangement of the whole split. A decoder that ignores z has a gap
    of 0 whatever its rate.

    Args:
        distortion: maps z (B, D) and x (B, C, H, W) to -log p(x|z), (B,).
        seed: of the derangement.
        chunk: how many images are decoded at a time.

    ``update`` takes ``x`` (B, C, H, W), ``z`` (B, D) and ``distortion`` (B,). ``compute`` gives ``shuffle_gap`` () and
    ``shuffle_gap_dim`` (D,), nats per image, each with its standard error of the paired difference, ``..._se``.
    """

    full_state_update = False
    images: list[Tensor]
    zs: list[Tensor]
    distortions: list[Tensor]

    def __init__(self, distortion: Callable[[Tensor, Tensor], Tensor], seed: int = 0, chunk: int = 500) -> None:
        super().__init__()
        self.distortion, self.seed, self.chunk = distortion, seed, chunk
        for name in ("images", "zs", "distortions"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, x: Tensor, z: Tensor, distortion: Tensor) -> None:
        self.images.append(x)
        self.zs.append(z)
        self.distortions.append(distortion)

    def rise(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean rise of the distortion with latents z (N, D) in place of the own ones, and its standard error."""
        images, own = dim_zero_cat(self.images), dim_zero_cat(self.distortions)
        pieces = zip(z.split(self.chunk), images.split(self.chunk), strict=True)
        rises = (torch.cat([self.distortion(part, x) for part, x in pieces]) - own).double()
        return rises.mean(), rises.std() / len(rises) ** 0.5

    def compute(self) -> dict[str, Tensor]:
        z = dim_zero_cat(self.zs)
        partner = z[noise.derangement(len(z), seed=self.seed, purpose="shuffle")]
        gap, error = self.rise(partner)
        dims = []
        for j in range(z.shape[1]):
            mixed = z.clone()
            mixed[:, j] = partner[:, j]
            dims.append(torch.stack(self.rise(mixed)))
        gap_dim, error_dim = torch.stack(dims).T
        return {
            "shuffle_gap": gap,
            "shuffle_gap_se": error,
            "shuffle_gap_dim": gap_dim,
            "shuffle_gap_dim_se": error_dim,
        }
