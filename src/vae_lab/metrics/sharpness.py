"""Sharpness: how much of the data's finest detail reconstructions and samples have."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from vae_lab.checks import integer

SIDE = 3  # of the stencil


def laplacian_variance(x: Tensor) -> Tensor:
    """The variance (B,) over places and channels of the Laplacian of images (B, C, H, W), borders left out.

    L_hw = x_h-1,w + x_h+1,w + x_h,w-1 + x_h,w+1 - 4 x_hw

    A measure of focus (Pech-Pacheco et al. 2000): blur lowers it, noise raises it.

    Example:
        >>> x = torch.zeros(1, 1, 3, 4)
        >>> x[..., 1, 1] = 1.0
        >>> laplacian_variance(x)  # of -4 and 1
        tensor([6.2500])
    """
    across = x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    along = x[..., :-2, 1:-1] + x[..., 2:, 1:-1]
    laplacian: Tensor = across + along - 4 * x[..., 1:-1, 1:-1]
    return laplacian.flatten(1).var(1, correction=0)


class Sharpness(Metric):
    """The mean ``laplacian_variance`` of reconstructions, and of samples, relative to that of the images.

    At 1 they are as sharp as the data, or as noisy; mean images of a VAE lie far below.

    ``update`` takes ``reconstruction`` and ``x``, each (B, C, H, W); ``compute`` gives ``sharpness``,
    ``sharpness_samples`` and ``sharpness_data``, the images' own, each ().

    Args:
        samples: maps a number to so many samples of the model, in parts (B, C, H, W).
        count: how many samples are drawn; 0 leaves their figure out.

    Raises:
        ArgumentError: when ``count`` is no whole number >= 0.

    Example:
        >>> x = torch.rand(4, 1, 8, 8)
        >>> metric = Sharpness(lambda count: [x[:count] / 2], count=4)
        >>> metric.update(x, x)
        >>> found = metric.compute()
        >>> round(found["sharpness"].item(), 4), round(found["sharpness_samples"].item(), 4)
        (1.0, 0.25)
    """

    higher_is_better = True
    full_state_update = False
    reconstructed: Tensor
    total: Tensor
    images: Tensor

    def __init__(self, samples: Callable[[int], Iterable[Tensor]], count: int = 500) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        self.samples, self.count = samples, integer("count", count, low=0)
        for name in ("reconstructed", "total", "images"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    @classmethod
    def applies(cls, model: Any, image_shape: tuple[int, int, int]) -> bool:
        """Whether the stencil fits into the image."""
        return min(image_shape[1:]) >= SIDE

    def update(self, reconstruction: Tensor, x: Tensor) -> None:
        self.reconstructed += laplacian_variance(reconstruction).double().sum()
        self.total += laplacian_variance(x).double().sum()
        self.images += len(x)

    def compute(self) -> dict[str, Tensor]:
        data = self.total / self.images
        figures = {"sharpness": self.reconstructed / self.total, "sharpness_data": data}
        if self.count:
            drawn = torch.cat([laplacian_variance(part).double() for part in self.samples(self.count)])
            figures["sharpness_samples"] = drawn.mean() / data
        return figures
