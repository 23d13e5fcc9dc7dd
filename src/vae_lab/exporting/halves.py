"""The two halves of a trained model as plain modules, which take tensors and give tensors.

Shapes: B batch, D latent; images are (B, C, H, W).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_lab.models import VAE

FEW = 2  # rows of the tensors that a half is traced with


class Encoder(nn.Module):
    """Images to mean and standard deviation of q(z|x), each (B, D)."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.posterior(x)


class Decoder(nn.Module):
    """Latents (B, D) to the mean image of p(x|z)."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        mean: Tensor = self.model.likelihood(self.model.decoder(z)).mean
        return mean


class PixelDecoder(nn.Module):
    """Latents (B, D) and an image to the mean of each pixel given z and the pixels before it: one step of sampling."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        mean: Tensor = self.model.likelihood(self.model.decoder(z, x)).mean
        return mean


@dataclass(frozen=True)
class Half:
    """A half with what it takes and gives by name; the first dimension of each is the batch.

    Args:
        name: of its file.
        module: in evaluation mode.
        inputs: tensors to trace it with.
        outputs: what it gives.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def halves(model: VAE, image_shape: tuple[int, int, int]) -> list[Half]:
    """Encoder and decoder of a model, in float32 whatever it was trained in."""
    model = model.float().eval()
    x, z = torch.rand(FEW, *image_shape), torch.zeros(FEW, model.latent_dim)
    encoder = Half("encoder", Encoder(model), {"x": x}, ("mean", "stddev"))
    if model.autoregressive:
        return [encoder, Half("decoder", PixelDecoder(model), {"z": z, "x": x}, ("image",))]
    return [encoder, Half("decoder", Decoder(model), {"z": z}, ("image",))]
