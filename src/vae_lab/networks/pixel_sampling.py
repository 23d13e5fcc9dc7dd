"""Pixels sampled from an autoregressive decoder, one after the other."""

from typing import Any

import torch
from torch import Tensor
from tqdm import trange

from vae_lab import noise
from vae_lab.elbo.likelihoods import Likelihood


@torch.no_grad()
def sample_pixels(decoder: Any, likelihood: Likelihood, z: Tensor, seed: int, progress: bool = False) -> Tensor:
    """Sample one image (B, C, H, W) for each latent of z (B, D), pixel by pixel in raster order.

    x_i ~ p(x_i | x_<i, z)

    The channels of a pixel are drawn together where no parameter reads the pixel itself, else one after the other.

    Args:
        decoder: maps z and images to the likelihood's parameters (B, P, H, W); its ``image_shape`` is (C, H, W), and
            its ``parents`` say for each parameter how many of the pixel's own channels it reads, those before where it
            has none.
        likelihood: says which pixel value lies at which quantile.
        z: the latents.
        seed: of the pixels' uniform noise.
        progress: whether to show a bar of the H·W pixels.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import PixelCNN
        >>> decoder = PixelCNN((1, 4, 4), latent_dim=2, channels=4, receptive_field=2)
        >>> sample_pixels(decoder, Bernoulli(), torch.zeros(3, 2), seed=0).shape
        torch.Size([3, 1, 4, 4])
    """
    u = noise.uniform((len(z), *decoder.image_shape), seed=seed, purpose="pixels").to(z)
    x = torch.zeros_like(u)
    channels, height, width = u.shape[1:]
    levels = sorted(set(getattr(decoder, "parents", range(channels))))
    for i in trange(height * width, desc="drawing pixels", leave=False, disable=not progress):
        row, column = divmod(i, width)
        here = (..., slice(row, row + 1), slice(column, column + 1))
        for own in levels:
            drawn = likelihood.quantile(decoder(z, x)[here], u[here])
            x[:, own:, row, column] = drawn[:, own:, 0, 0]
    return x
