"""Fully connected encoder and decoder."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from vae_lab.checks import ArgumentError, flag, integer


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers through ``sizes`` with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def check_widths(name: str, widths: Sequence[int]) -> list[int]:
    """Return ``widths`` as a list of whole numbers >= 1, or raise ``ValueError``."""
    if not isinstance(widths, Sequence) or isinstance(widths, str):
        raise ArgumentError(name, widths, "must be a list such as [256]")
    return [integer(name, width) for width in widths]


class MLPEncoder(nn.Module):
    """Images (B, C, H, W) to location and raw scale, each (B, D), through hidden layers of the given widths.

    Example:
        >>> location, raw_scale = MLPEncoder((1, 8, 8), latent_dim=4, hidden=[32])(torch.zeros(5, 1, 8, 8))
        >>> location.shape, raw_scale.shape
        (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, hidden: Sequence[int] = (256,)) -> None:
        super().__init__()
        self.net = mlp([math.prod(image_shape), *check_widths("hidden", hidden), 2 * latent_dim])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        location, raw_scale = self.net(x.flatten(1)).chunk(2, dim=-1)
        return location, raw_scale


class SkipMLP(nn.Module):
    """Linear layers through ``sizes`` with ReLU between them; each reads the first one's input z beside its own."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        again = [0] + [sizes[0]] * (len(sizes) - 2)
        pairs = zip(pairwise(sizes), again, strict=True)
        self.layers = nn.ModuleList(nn.Linear(before + more, after) for (before, after), more in pairs)

    def forward(self, z: Tensor) -> Tensor:
        first, *others = self.layers
        h: Tensor = first(z)
        for layer in others:
            h = layer(torch.cat([h.relu(), z], dim=-1))
        return h


class MLPDecoder(nn.Module):
    """Latents (B, D) to likelihood parameters (B, C, H, W) through hidden layers of the given widths.

    With ``skip`` z enters every layer, not only the first (Skip-VAE, Dieng et al. 2019):

    h_{l+1} = g(h_l, z)

    Example:
        >>> MLPDecoder((1, 8, 8), latent_dim=4, hidden=[32])(torch.zeros(5, 4)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        hidden: Sequence[int] = (256,),
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        sizes = [latent_dim, *check_widths("hidden", hidden), math.prod(image_shape)]
        self.net = SkipMLP(sizes) if flag("skip", skip) else mlp(sizes)

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.net(z).unflatten(-1, self.image_shape)
        return image
