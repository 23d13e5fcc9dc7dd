"""Gated PixelCNN: a decoder that reads the pixels before the one it predicts, and so can do without z."""

import math
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import pad

from vae_lab.checks import ArgumentError, flag, integer


class GatedLayer(nn.Module):
    """One layer of the vertical and the horizontal stack (van den Oord et al. 2016b, figure 2 and equation 4).

    The vertical stack sees the rows above, the horizontal one the pixels to the left and, through the vertical one, the
    rows above: no pixel is left in a blind spot. What a mask would cut off is not computed at all: kernels end before
    the pixel itself in the first layer and at it in the others, whose inputs have seen nothing but the past.

    Args:
        inputs: channels of both stacks' inputs.
        channels: of their outputs.
        reach: how many rows and columns the layer looks back.
        features: channels of the map made from z; 0 when z does not enter this layer.
        first: whether the inputs are the image itself.
    """

    def __init__(self, inputs: int, channels: int, reach: int, features: int, first: bool) -> None:
        super().__init__()
        self.reach, self.first = reach, first
        own = 0 if first else 1
        self.vertical = nn.Conv2d(inputs, 2 * channels, (reach + own, 2 * reach + 1))
        self.horizontal = nn.Conv2d(inputs, 2 * channels, (1, reach + own))
        self.down = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.from_z = nn.Conv2d(features, 4 * channels, 1) if features else None

    def forward(self, vertical: Tensor, horizontal: Tensor, z_map: Tensor) -> tuple[Tensor, Tensor]:
        """Stacks (B, inputs, H, W) and z's map, as large or (B, features, 1, 1), to stacks (B, channels, H, W)."""
        height, width = vertical.shape[2:]
        above = self.vertical(pad(vertical, (self.reach, self.reach, self.reach, 0)))[:, :, :height]
        left = self.horizontal(pad(horizontal, (self.reach, 0, 0, 0)))[..., :width] + self.down(above)
        if self.from_z is not None:
            z_above, z_left = self.from_z(z_map).chunk(2, dim=1)
            above, left = above + z_above, left + z_left
        out = self.out(gate(left))
        return gate(above), out if self.first else horizontal + out


def gate(x: Tensor) -> Tensor:
    """tanh of the first half of the channels times the sigmoid of the second (equation 2)."""
    content, opening = x.chunk(2, dim=1)
    return content.tanh() * opening.sigmoid()


class PixelCNN(nn.Module):
    """Latents (B, D) and images (B, 1, H, W) to likelihood parameters (B, 1, H, W), each pixel from those before it.

    The gated PixelCNN (van den Oord et al. 2016b) in raster order:

    p(x|z) = Π_i p(x_i | x_<i, z)

    Args:
        image_shape: (1, H, W): grey images only.
        latent_dim: D.
        channels: of both stacks.
        receptive_field: how many rows above and columns to the left (and, above, to the right) a pixel's parameters
            depend on: the smaller, the more is left to z.
        reach: how many of them each layer adds; the number of layers is their ratio.
        features: 0 lets z act alike at every place (equation 4); otherwise z becomes a map as large as the image, of so
            many channels, which acts at each place in its own way (equation 5).
        skip: whether z enters every layer, as in the paper and in Skip-VAE (Dieng et al. 2019), or the first only.

    Raises:
        ValueError: for colour images, or a receptive field that is no multiple of ``reach``.

    Example:
        >>> import torch
        >>> decoder = PixelCNN((1, 8, 8), latent_dim=4)
        >>> decoder(torch.zeros(5, 4), torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1, 8, 8])
    """

    autoregressive: ClassVar = True

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        channels: int = 16,
        receptive_field: int = 8,
        reach: int = 2,
        features: int = 4,
        skip: bool = True,
    ) -> None:
        super().__init__()
        if image_shape[0] != 1:
            raise ValueError(f"the images have {image_shape[0]} channels; PixelCNN takes grey images only")
        integer("channels", channels)
        integer("features", features, low=0)
        if integer("receptive_field", receptive_field) % integer("reach", reach):
            raise ArgumentError("receptive_field", receptive_field, f"must be a multiple of reach={reach}")
        flag("skip", skip)
        self.image_shape = tuple(image_shape)
        everywhere = nn.Unflatten(1, (latent_dim, 1, 1))
        size = (features, *image_shape[1:])
        by_place = nn.Sequential(nn.Linear(latent_dim, math.prod(size)), nn.Unflatten(1, size)) if features else None
        self.z_map = by_place or everywhere
        entering = features or latent_dim
        self.layers = nn.ModuleList(
            GatedLayer(channels if i else 1, channels, reach, entering if skip or i == 0 else 0, first=i == 0)
            for i in range(receptive_field // reach)
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, 1, 1))

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        z_map, vertical, horizontal = self.z_map(z), x, x
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, z_map)
        params: Tensor = self.head(horizontal)
        return params
