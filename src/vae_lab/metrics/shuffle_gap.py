"""Shuffle gap: what the decoder loses when the latents are exchanged between images."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_lab import noise
from vae_lab.checks import integer
from vae_lab.metrics.per_image import PerImage

MOST_DECODED, LEAST_IMAGES = 40_000, 100  # images for all single dimensions together; for each of them
NEGLIGIBLE = 1e-4  # nats about x: exchanging so little costs far less than the 0.01 nats at which a unit counts as used
MAX_VALUES = 1_000_000  # pixels decoded at a time: the bound of memory


class ShuffleGap(PerImage):
    """How much the distortion rises when z, or one z_j alone, comes from another image of the split.

    gap = mean_b [ -log p(x_b|z_partner(b)) + log p(x_b|z_b) ]

    The partner of each image is fixed by one seeded derangement of the whole split. A decoder that ignores z has a gap
    of 0 whatever its rate.

    Args:
        distortion: maps z (B, D), x (B, C, H, W) and the images' indices (B,) to -log p(x|z), (B,).
        seed: of the derangement.
        per_dimension: whether to shuffle each z_j alone too, which takes up to D more passes.
        images: measure this many images, evenly spread over the split, in place of all.
        chunk: how many images are decoded at a time; None: as many as have ``MAX_VALUES`` pixels.
        units: exchange these many units of D / units neighbouring dimensions each, such as the channels of a spatial
            latent, in place of single dimensions; None: each dimension is one.

    ``update`` takes ``indices`` (B,), ``x`` (B, C, H, W), ``z`` (B, D), ``distortion`` (B,), and ``mean`` and
    ``stddev``, each (B, D). ``compute`` gives ``shuffle_gap`` () and ``shuffle_gap_dim`` (D,), nats per image, each
    with its standard error of the paired difference, ``..._se``, and ``shuffle_gap_dim_images`` (), on how many images
    each figure per dimension rests: on all, or on as many, evenly spread, as make ``MOST_DECODED`` together, and at
    least ``LEAST_IMAGES``. A dimension whose posterior is the same for all images (``information_bound`` below
    ``NEGLIGIBLE``) has gap and error 0 by rule: independent draws are exchanged for one another.

    Example:
        >>> metric = ShuffleGap(lambda z, x, indices: 0.5 * (x.flatten(1) - z).square().sum(1))
        >>> x = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)  # the decoder draws z itself, and z is x
        >>> q = {"mean": x.flatten(1), "stddev": torch.full((2, 1), 1e-6)}
        >>> metric.update(torch.arange(2), x, z=x.flatten(1), distortion=torch.zeros(2), **q)
        >>> metric.compute()["shuffle_gap"].item()
        2.0
    """

    def __init__(
        self,
        distortion: Callable[[Tensor, Tensor, Tensor], Tensor],
        seed: int = 0,
        per_dimension: bool = True,
        images: int | None = None,
        chunk: int | None = None,
        units: int | None = None,
    ) -> None:
        super().__init__("pictures", "zs", "distortions", "means", "stddevs", images=images)
        self.distortion, self.seed, self.per_dimension, self.chunk = distortion, seed, per_dimension, chunk
        self.units = None if units is None else integer("units", units)

    def update(self, indices: Tensor, x: Tensor, z: Tensor, distortion: Tensor, mean: Tensor, stddev: Tensor) -> None:
        self.keep(indices, x, z, distortion, mean, stddev)

    def compute(self) -> dict[str, Tensor]:
        x, z, own, mean, stddev = self.kept()
        indices = self.kept_indices()
        partner = z[noise.derangement(len(z), seed=self.seed, purpose="shuffle").to(z.device)]
        gap, error = self.rise(partner, x, indices, own)
        figures = {"shuffle_gap": gap, "shuffle_gap_se": error}
        if self.per_dimension:
            bound = information_bound(mean, stddev)
            by_unit = bound if self.units is None else bound.view(self.units, -1).sum(1)
            figures |= self.by_dimension(partner, x, z, indices, own, by_unit)
        return figures

    def by_dimension(
        self, partner: Tensor, x: Tensor, z: Tensor, indices: Tensor, own: Tensor, bound: Tensor
    ) -> dict[str, Tensor]:
        """The gap of each dimension, or unit, alone, of whose information (D,) is the upper ``bound``."""
        open_ = (bound >= NEGLIGIBLE).nonzero()[:, 0].tolist()
        rows = evenly(len(z), max(MOST_DECODED // max(len(open_), 1), LEAST_IMAGES)).to(z.device)
        partner, x, z, indices, own = (part.index_select(0, rows) for part in (partner, x, z, indices, own))
        gaps = torch.zeros(2, len(bound), dtype=torch.float64, device=z.device)
        size = z.shape[1] // len(bound)
        for j in open_:
            mixed = z.clone()
            mixed[:, j * size : (j + 1) * size] = partner[:, j * size : (j + 1) * size]
            gaps[:, j] = torch.stack(self.rise(mixed, x, indices, own))
        count = torch.tensor(len(rows))
        return {"shuffle_gap_dim": gaps[0], "shuffle_gap_dim_se": gaps[1], "shuffle_gap_dim_images": count}

    def rise(self, other: Tensor, x: Tensor, indices: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Mean rise of the distortion when the latents ``other`` (n, D) replace the images' own, and its error."""
        chunk = self.chunk or max(MAX_VALUES // x[0].numel(), 1)
        pieces = zip(other.split(chunk), x.split(chunk), indices.split(chunk), strict=True)
        rises = (torch.cat([self.distortion(*piece) for piece in pieces]) - own).double()
        return rises.mean(), rises.std() / len(rises) ** 0.5


def information_bound(mean: Tensor, stddev: Tensor) -> Tensor:
    """An upper bound of what each z_j says of x, from the posteriors (N, D) of a split: (D,), nats, float64.

    I(x; z_j) <= E_x KL( q(z_j|x) ‖ N(m_j, v_j) ) = ½ ( ln v_j - E_x ln σ_j² )

    with m_j and v_j the mean and the variance of z_j over all images.

    Example:
        >>> information_bound(torch.tensor([[0.0, -1.0], [0.0, 1.0]]), torch.ones(2, 2))
        tensor([0.0000, 0.3466], dtype=torch.float64)
    """
    mean, variance = mean.double(), stddev.double().square()
    total = variance.mean(0) + mean.var(0, correction=0)
    return 0.5 * (total.log() - variance.log().mean(0))


def evenly(size: int, count: int) -> Tensor:
    """``count`` rows of ``size``, or all, at equal distances.

    Example:
        >>> evenly(10, 4)
        tensor([0, 2, 5, 7])
    """
    count = min(size, count)
    return torch.arange(count) * size // count
