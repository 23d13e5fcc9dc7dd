"""The Fréchet distance of two sets of images, on features of EfficientNet-Lite0."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from vae_lab.checks import ArgumentError, integer
from vae_lab.metrics.per_image import PerImage
from vae_lab.perceptual import Features, Wanted, lite0_features
from vae_lab.perceptual.lite0 import LAST

AT_ONCE = 250  # images


def frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> Tensor:
    """The squared Fréchet (2-Wasserstein) distance () of two Gaussians with means (F,) and covariances (F, F).

    d² = ‖ m₁ - m₂ ‖² + tr( C₁ + C₂ - 2 (C₁^½ C₂ C₁^½)^½ )

    (Dowson & Landau 1982.) Eigenvalues that rounding has made negative count as 0.

    Example:
        >>> zero, one = torch.zeros(2), torch.eye(2)
        >>> frechet_distance(zero, one, zero + 3, 4 * one)  # 2 · 3² + 2 · (1 - 2)²
        tensor(20.)
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp(min=0).sqrt().sum()
    means = (mean - other_mean).square().sum()
    distance: Tensor = means + covariance.trace() + other_covariance.trace() - 2 * cross
    return distance.clamp(min=0)


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,) and covariance (F, F) of features (N, F), in float64."""
    wide = features.double()
    return wide.mean(0), torch.atleast_2d(wide.T.cov())


class FDLite0(PerImage):
    """``frechet_distance`` of samples, and of reconstructions, to the images, on EfficientNet-Lite0's last features.

    The features are the 320 channels of its last block, their mean over the picture: fewer than FID's 2,048, so that
    their covariance can be estimated from some thousand images. The figures are no FID and compare with none; they fall
    with the number of images, so compare only those of one ``images`` and ``size``. Samples are as many as images.

    ``update`` takes ``reconstruction`` and ``x``, each (B, C, H, W) in [0, 1], and ``indices`` (B,); ``compute`` gives
    ``fd_lite0`` of samples, ``fd_lite0_reconstructions`` and ``fd_lite0_images``, how many they were, each ().

    Args:
        samples: maps a number to so many samples of the model, in parts (B, C, H, W).
        value_range: the least and the largest pixel of the data.
        images: for how many images, evenly spread over the split, which are kept until the pass is over; 0 leaves the
            figures out.
        size: images are resized to that length of their shorter side.

    Raises:
        ArgumentError: when ``images`` is neither 0 nor a whole number >= 2, or the data reach beyond [0, 1].
        ValueError: when the package of the network's weights is not installed.

    Example:
        >>> metric = FDLite0(samples=lambda count: [], value_range=(0.0, 1.0), images=0)
        >>> metric.update(torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8), torch.arange(4))
        >>> metric.compute()
        {}
    """

    higher_is_better = False

    def __init__(
        self,
        samples: Callable[[int], Iterable[Tensor]],
        value_range: tuple[float, float],
        images: int = 0,
        size: int = 64,
    ) -> None:
        super().__init__("pictures", "reconstructions", images=integer("images", images, low=0) or None)
        self.samples, self.off = samples, images == 0
        self.features: Features | None = None
        if self.off:
            return
        if value_range[0] < 0 or value_range[1] > 1:
            low, high = value_range
            raise ArgumentError("images", images, f"needs pixels in [0, 1], the data reach from {low:g} to {high:g}")
        self.features = lite0_features(Wanted(size=integer("size", size, low=8)), taps=(LAST,))

    def update(self, x: Tensor, reconstruction: Tensor, indices: Tensor) -> None:
        if not self.off:
            self.keep(indices, x, reconstruction)

    def moments(self, parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """Those of the features of images, which come in parts (B, C, H, W)."""
        assert self.features is not None
        with torch.no_grad():
            found = [self.features(part.float().clamp(0, 1))[0].mean((2, 3)) for part in parts]
        return moments(torch.cat(found))

    def compute(self) -> dict[str, Tensor]:
        if self.off:
            return {}
        pictures, reconstructions = self.kept()
        data = self.moments(pictures.split(AT_ONCE))
        drawn = self.moments(part for whole in self.samples(len(pictures)) for part in whole.split(AT_ONCE))
        return {
            "fd_lite0": frechet_distance(*data, *drawn),
            "fd_lite0_reconstructions": frechet_distance(*data, *self.moments(reconstructions.split(AT_ONCE))),
            "fd_lite0_images": torch.tensor(float(len(pictures))),
        }
