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

    Args:
        decoder: maps z and images to the likelihood's parameters (B, C, H, W); its ``image_shape`` is (C, H, W).
        likelihood: says which pixel value lies at which quantile.
        z: the latents.
        seed: of the pixels' uniform noise.
        progress: whether to show a bar of the H·W passes through the decoder.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import PixelCNN
        >>> decoder = PixelCNN((1, 4, 4), latent_dim=2, channels=4, receptive_field=2)
        >>> sample_pixels(decoder, Bernoulli(), torch.zeros(3, 2), seed=0).shape
        torch.Size([3, 1, 4, 4])
    """
    u = noise.uniform((len(z), *decoder.image_shape), seed=seed, purpose="pixels").to(z)
    x = torch.zeros_like(u)
    height, width = u.shape[2:]
    for i in trange(height * width, desc="drawing pixels", leave=False, disable=not progress):
        row, column = divmod(i, width)
        drawn = likelihood.quantile(decoder(z, x), u)
        x[:, :, row, column] = drawn[:, :, row, column]
    return x
