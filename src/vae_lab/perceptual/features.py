"""Feature maps of images: how images are brought to what a network takes, and the networks by name.

Shapes: B batch; images are (B, C, H, W) in [0, 1]; the maps of layer l are (B, C_l, H_l, W_l).
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from typing_extensions import override

from vae_lab.checks import ArgumentError
from vae_lab.perceptual.frozen import freeze


class Features(nn.Module):
    """A frozen network that maps images (B, C, H, W) in [0, 1] to several feature maps.

    Its weights move with the model that holds it, and lie in none of its checkpoints. It stays in evaluation mode.

    Args:
        network: maps images to a list of maps.
        channels: those of the images that it takes; one channel is repeated to make them up.
        size: images are resized to that length of their shorter side; None leaves them as they are.
        mean: of the pixels that it was trained on, of one channel or for each.
        stddev: their standard deviation, likewise.

    Raises:
        ArgumentError: when images of other channels come.

    Example:
        >>> class Pixels(nn.Module):
        ...     def forward(self, x):
        ...         return [x]
        >>> Features(Pixels(), channels=3, size=16)(torch.zeros(2, 1, 8, 12))[0].shape
        torch.Size([2, 3, 16, 24])
    """

    mean: Tensor  # (C, 1, 1) or (1, 1, 1)
    stddev: Tensor

    def __init__(
        self,
        network: nn.Module,
        channels: int,
        size: int | None = None,
        mean: tuple[float, ...] = (0.0,),
        stddev: tuple[float, ...] = (1.0,),
    ) -> None:
        super().__init__()
        freeze(network)
        self.network, self.channels, self.size = network, channels, size
        for name, values in (("mean", mean), ("stddev", stddev)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)
        self.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.network((resized(repeated(x, self.channels), self.size) - self.mean) / self.stddev)
        return maps

    @override
    def train(self, mode: bool = True) -> Self:
        return super().train(False)


def repeated(x: Tensor, channels: int) -> Tensor:
    """Images (B, C, H, W) with so many channels: a single one is repeated.

    Raises:
        ArgumentError: when there are others.
    """
    if x.shape[1] not in (1, channels):
        raise ArgumentError("x", tuple(x.shape), f"must have 1 or {channels} channels")
    return x if x.shape[1] == channels else x.expand(-1, channels, -1, -1)


def resized(x: Tensor, size: int | None) -> Tensor:
    """Images (B, C, H, W) whose shorter side has this length; smoothed first where that makes them smaller."""
    height, width = x.shape[2:]
    shorter = min(height, width)
    if size is None or size == shorter:
        return x
    shape = (round(height * size / shorter), round(width * size / shorter))
    return interpolate(x, shape, mode="bilinear", align_corners=False, antialias=size < shorter)
