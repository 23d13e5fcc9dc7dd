"""Peak signal-to-noise ratio of the reconstructions."""

import torch
from torch import Tensor
from torchmetrics.image import PeakSignalNoiseRatio


class PSNR(PeakSignalNoiseRatio):
    """torchmetrics' PSNR of the mean images against the images, over all pixels of a split.

    psnr = 10 log10( data_range² / mean squared error )

    ``update`` takes ``reconstruction`` and ``x``, each (B, C, H, W); ``compute`` gives (), decibels, summed in float64.

    Args:
        data_range: the largest minus the least pixel.

    Example:
        >>> metric = PSNR(data_range=1.0)
        >>> metric.update(torch.full((2, 1, 4, 4), 0.1), torch.zeros(2, 1, 4, 4))
        >>> round(metric.compute().item(), 4)
        20.0
    """

    def __init__(self, data_range: float) -> None:
        super().__init__(data_range=data_range)
        self.set_dtype(torch.float64)

    def update(self, reconstruction: Tensor, x: Tensor) -> None:
        super().update(reconstruction.double(), x.double())
