"""Shuffle gap: what the decoder loses when the latents are exchanged between images."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from vae_lab import noise
from vae_lab.metrics.per_image import PerImage

MOST_DECODED, LEAST_IMAGES = 300_000, 1_000  # for all dimensions together; for each of them
MAX_VALUES = 1_000_000  # pixels decoded at a time: the bound of memory


class ShuffleGap(PerImage):
    """How much the distortion rises when z, or one z_j alone, comes from another image of the split.

    gap = mean_b [ -log p(x_b|z_partner(b)) + log p(x_b|z_b) ]

    The partner of each image is fixed by one seeded derangement of the whole split. A decoder that ignores z has a gap
    of 0 whatever its rate.

    Args:
        distortion: maps z (B, D) and x (B, C, H, W) to -log p(x|z), (B,).
        seed: of the derangement.
        per_dimension: whether to shuffle each z_j alone too, which takes D more passes over the split.
        images: measure this many images, evenly spread over the split, in place of all.
        chunk: how many images are decoded at a time; None: as many as have ``MAX_VALUES`` pixels.

    ``update`` takes ``indices`` (B,), ``x`` (B, C, H, W), ``z`` (B, D) and ``distortion`` (B,). ``compute`` gives
    ``shuffle_gap`` () and ``shuffle_gap_dim`` (D,), nats per image, each with its standard error of the paired
    difference, ``..._se``. With many dimensions the latter rest on the first images of the split, at least 1,000.

    Example:
        >>> metric = ShuffleGap(lambda z, x: 0.5 * (x.flatten(1) - z).square().sum(1))
        >>> x = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)  # the decoder draws z itself, and z is x
        >>> metric.update(torch.arange(2), x, x.flatten(1), torch.zeros(2))
        >>> metric.compute()["shuffle_gap"].item()
        2.0
    """

    def __init__(
        self,
        distortion: Callable[[Tensor, Tensor], Tensor],
        seed: int = 0,
        per_dimension: bool = True,
        images: int | None = None,
        chunk: int | None = None,
    ) -> None:
        super().__init__("pictures", "zs", "distortions", images=images)
        self.distortion, self.seed, self.per_dimension, self.chunk = distortion, seed, per_dimension, chunk

    def update(self, indices: Tensor, x: Tensor, z: Tensor, distortion: Tensor) -> None:
        self.keep(indices, x, z, distortion)

    def compute(self) -> dict[str, Tensor]:
        x, z, own = self.kept()
        partner = z[noise.derangement(len(z), seed=self.seed, purpose="shuffle").to(z.device)]
        gap, error = self.rise(partner, x, own)
        figures = {"shuffle_gap": gap, "shuffle_gap_se": error}
        if self.per_dimension:
            rises = [torch.stack(self.rise(z_j, x, own)) for z_j in one_by_one(z, partner)]
            figures["shuffle_gap_dim"], figures["shuffle_gap_dim_se"] = torch.stack(rises).T
        return figures

    def rise(self, z: Tensor, x: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Mean rise of the distortion when z (n, D) replaces the first n own latents, and its standard error."""
        chunk = self.chunk or max(MAX_VALUES // x[0].numel(), 1)
        pieces = zip(z.split(chunk), x[: len(z)].split(chunk), strict=True)
        rises = (torch.cat([self.distortion(*piece) for piece in pieces]) - own[: len(z)]).double()
        return rises.mean(), rises.std() / len(rises) ** 0.5


def one_by_one(z: Tensor, partner: Tensor) -> Iterator[Tensor]:
    """For each dimension the latents with that one exchanged, of as many images as ``MOST_DECODED`` leaves room."""
    dims = z.shape[1]
    first = slice(max(MOST_DECODED // dims, LEAST_IMAGES))
    for j in range(dims):
        mixed = z[first].clone()
        mixed[:, j] = partner[first, j]
        yield mixed
