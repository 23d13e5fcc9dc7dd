"""Linear encoder and decoder, whose optimum is known: reverse water-filling (Lucas et al. 2019).

A network says by ``linearity`` whether it is one of these: ``dense`` or ``diagonal``, None (or nothing) when it is not.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vae_lab.checks import ArgumentError, flag


def linear_weight(rows: int, columns: int, latent_dim: int, pixels: int, diagonal: bool) -> nn.Parameter:
    """The start of a weight (rows, columns), drawn as ``nn.Linear`` does, or of the diagonal (D,) of one.

    A diagonal starts in [0.1, 1]: no latent is dead, and encoder and decoder agree about each latent's sign.

    Raises:
        ValueError: when a diagonal has more latents than there are pixels.
    """
    if not flag("diagonal", diagonal):
        return nn.Parameter(nn.init.uniform_(torch.empty(rows, columns), -(columns**-0.5), columns**-0.5))
    if latent_dim > pixels:
        raise ArgumentError("diagonal", diagonal, f"needs a pixel for each latent, here are {latent_dim} for {pixels}")
    return nn.Parameter(nn.init.uniform_(torch.empty(latent_dim), 0.1, 1.0))


def linearity_of(*networks: Any) -> str | None:
    """The ``linearity`` that all these networks share; None where they share none.

    Example:
        >>> linearity_of(LinearEncoder((1, 2, 2), 3), LinearDecoder((1, 2, 2), 3))
        'dense'
        >>> linearity_of(LinearEncoder((1, 2, 2), 3), nn.Identity())
    """
    forms = {getattr(network, "linearity", None) for network in networks}
    return forms.pop() if len(forms) == 1 else None


class LinearEncoder(nn.Module):
    """Images (B, C, H, W) to location and raw scale, each (B, D); the image does not move the raw scale.

    location = W x + b

    That is the form of the optimal posterior beside a linear decoder and a Gaussian likelihood (Lucas et al. 2019).

    Args:
        image_shape: (C, H, W).
        latent_dim: D.
        diagonal: latent i reads value i of the flattened image alone.

    Raises:
        ValueError: when a diagonal has more latents than there are pixels.

    Example:
        >>> location, raw_scale = LinearEncoder((1, 8, 8), latent_dim=4)(torch.zeros(5, 1, 8, 8))
        >>> location.shape, raw_scale.shape
        (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, diagonal: bool = False) -> None:
        super().__init__()
        pixels = math.prod(image_shape)
        self.weight = linear_weight(latent_dim, pixels, latent_dim, pixels, diagonal)  # (D, C·H·W) or (D,)
        self.linearity = "diagonal" if diagonal else "dense"
        self.bias = nn.Parameter(torch.zeros(latent_dim))
        self.log_variance = nn.Parameter(torch.zeros(latent_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pixels = x.flatten(1)
        if self.weight.ndim == 1:
            location = pixels[:, : len(self.weight)] * self.weight + self.bias
        else:
            location = functional.linear(pixels, self.weight, self.bias)
        return location, self.log_variance.expand_as(location)


class LinearDecoder(nn.Module):
    """Latents (B, D) to likelihood parameters (B, C, H, W).

    parameters = W z + b

    Args:
        image_shape: (C, H, W).
        latent_dim: D.
        diagonal: latent i writes value i of the flattened image alone; the values beyond D are b.

    Raises:
        ValueError: when a diagonal has more latents than there are pixels.

    Example:
        >>> LinearDecoder((1, 8, 8), latent_dim=4)(torch.zeros(5, 4)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, diagonal: bool = False) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        pixels = math.prod(image_shape)
        self.weight = linear_weight(pixels, latent_dim, latent_dim, pixels, diagonal)  # (C·H·W, D) or (D,)
        self.linearity = "diagonal" if diagonal else "dense"
        self.bias = nn.Parameter(torch.zeros(pixels))

    def forward(self, z: Tensor) -> Tensor:
        if self.weight.ndim == 1:
            pixels = functional.pad(z * self.weight, (0, len(self.bias) - len(self.weight))) + self.bias
        else:
            pixels = functional.linear(z, self.weight, self.bias)
        image: Tensor = pixels.unflatten(-1, self.image_shape)
        return image
