"""Images drawn from an autoregressive decoder, pixel by pixel."""

from typing import Any

import torch
from torch import Tensor
from tqdm import trange

from vae_lab import noise
from vae_lab.elbo.likelihoods import Likelihood


@torch.no_grad()
def draw_images(decoder: Any, likelihood: Likelihood, z: Tensor, seed: int, progress: bool = False) -> Tensor:
    """Draw one image (B, C, H, W) for each latent of z (B, D) from p(x|z) = Π_i p(x_i | x_<i, z), in raster order.

    Args:
        decoder: maps z and images to the likelihood's parameters (B, C, H, W); its ``image_shape`` is (C, H, W).
        likelihood: says which pixel value lies at which quantile.
        z: the latents.
        seed: of the pixels' uniform noise.
        progress: whether to show a bar of the H·W passes through the decoder.
    """
    u = noise.uniform((len(z), *decoder.image_shape), seed=seed, purpose="pixels").to(z)
    x = torch.zeros_like(u)
    height, width = u.shape[2:]
    for i in trange(height * width, desc="drawing pixels", leave=False, disable=not progress):
        row, column = divmod(i, width)
        drawn = likelihood.quantile(decoder(z, x), u)
        x[:, :, row, column] = drawn[:, :, row, column]
    return x
