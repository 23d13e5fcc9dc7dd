"""Gated PixelCNN: a decoder that reads the pixels before the one it predicts, and so can do without z."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
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


class Head(nn.Module):
    """Features of the past (B, channels, H, W) and ``own`` channels of the pixel itself to parameters of that pixel.

    Args:
        channels: of the features.
        own: how many channels of the image enter.
        outputs: parameters.
    """

    def __init__(self, channels: int, own: int, outputs: int) -> None:
        super().__init__()
        self.own = own
        self.net = nn.Sequential(nn.Conv2d(channels + own, channels, 1), nn.ReLU(), nn.Conv2d(channels, outputs, 1))

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        params: Tensor = self.net(torch.cat([features.relu(), x[:, : self.own]], dim=1))
        return params


class PixelCNN(nn.Module):
    """Latents (B, D) and images (B, C, H, W) to likelihood parameters (B, P, H, W), each pixel from those before it.

    The gated PixelCNN (van den Oord et al. 2016b) in raster order, and within a pixel in the order of its channels:

    p(x|z) = Π_i Π_c p(x_ic | x_i,<c, x_<i, z)

    The stacks see all channels of the pixels before. What a parameter may know of the pixel itself enters at the end.

    Args:
        image_shape: (C, H, W).
        latent_dim: D.
        channels: of both stacks.
        receptive_field: how many rows above and columns to the left (and, above, to the right) a pixel's parameters
            depend on: the smaller, the more is left to z.
        reach: how many of them each layer adds; the number of layers is their ratio.
        features: 0 lets z act alike at every place (equation 4); otherwise z becomes a map as large as the image, of so
            many channels, which acts at each place in its own way (equation 5).
        skip: whether z enters every layer, as in the paper and in Skip-VAE (Dieng et al. 2019), or the first only.
        parents: for each of the P parameters of a pixel, how many of the pixel's own channels it reads, as
            ``Likelihood.parents`` says; one for each channel, which reads those before it, when None.

    Raises:
        ValueError: when a receptive field is no multiple of ``reach``.

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
        parents: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        integer("channels", channels)
        integer("features", features, low=0)
        if integer("receptive_field", receptive_field) % integer("reach", reach):
            raise ArgumentError("receptive_field", receptive_field, f"must be a multiple of reach={reach}")
        flag("skip", skip)
        self.image_shape = tuple(image_shape)
        self.parents = tuple(range(image_shape[0]) if parents is None else parents)
        everywhere = nn.Unflatten(1, (latent_dim, 1, 1))
        size = (features, *image_shape[1:])
        by_place = nn.Sequential(nn.Linear(latent_dim, math.prod(size)), nn.Unflatten(1, size)) if features else None
        self.z_map = by_place or everywhere
        entering = features or latent_dim
        self.layers = nn.ModuleList(
            GatedLayer(
                channels if i else image_shape[0], channels, reach, entering if skip or i == 0 else 0, first=i == 0
            )
            for i in range(receptive_field // reach)
        )
        levels = sorted(set(self.parents))
        counts = [self.parents.count(level) for level in levels]
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, counts[0], 1)
        )
        self.heads = nn.ModuleList(Head(channels, *pair) for pair in zip(levels[1:], counts[1:], strict=True))
        given = [i for level in levels for i, own in enumerate(self.parents) if own == level]
        self.order = [given.index(i) for i in range(len(given))]

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        z_map, vertical, horizontal = self.z_map(z), x, x
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, z_map)
        params: Tensor = self.head(horizontal)
        if not self.heads:
            return params
        return torch.cat([params, *(head(horizontal, x) for head in self.heads)], dim=1)[:, self.order]
