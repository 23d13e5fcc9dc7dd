"""A foreign model as one of ours: the same posterior, likelihood and prior that metrics, theory and figures ask for."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.priors import Prior
from vae_lab.examination.form import Form
from vae_lab.examination.posterior import read_posterior
from vae_lab.models import VAE


@dataclass(frozen=True)
class Latent:
    """The shape of a latent as a person's functions have it, and how many units it counts as.

    Example:
        >>> Latent((4, 8, 8), units=4).size
        256
    """

    shape: tuple[int, ...]
    units: int

    @property
    def size(self) -> int:
        """D, all numbers of a latent."""
        return math.prod(self.shape)

    @property
    def spatial(self) -> bool:
        """Whether a unit is more than one number."""
        return self.units != self.size


class Encoding(nn.Module):
    """A person's ``encode``: images (B, C, H, W) to mean and standard deviation, each (B, D).

    Args:
        encode: their function.
        scale: what the second of a pair is; see ``read_posterior``.
        form: how an example looks to them.
    """

    def __init__(self, encode: Callable[[Tensor], Any], scale: str, form: Form) -> None:
        super().__init__()
        self.encode, self.scale, self.form = encode, scale, form

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode."""
        mean, stddev = self.shaped(x)
        return mean.flatten(1), stddev.flatten(1)

    def shaped(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same in the shape that the latents have, as float32."""
        mean, stddev = read_posterior(self.encode(self.form.given(x)), self.scale)
        return mean.float(), stddev.float()


class Decoding(nn.Module):
    """A person's function of z: latents (B, D) to the likelihood's parameters.

    Args:
        decode: gives them, for z as the person's function takes it.
        latent: how z looks to them.
        dtype: likewise.
    """

    def __init__(self, decode: Callable[[Tensor], Tensor], latent: Latent, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.decode, self.latent, self.dtype = decode, latent, dtype

    def forward(self, z: Tensor) -> Tensor:
        """Decode."""
        return self.decode(z.view(len(z), *self.latent.shape).to(self.dtype))


class Itself(nn.Module):
    """A decoder that gives z, for a likelihood that knows the rest."""

    def forward(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        """Latents (B, D) as they are."""
        return z


class Examined(VAE):
    """A model from outside, in evaluation mode: nothing of it is trained here.

    Args:
        encoder: gives mean and standard deviation.
        decoder: gives the parameters of the likelihood, or z itself where the likelihood knows the rest.
        likelihood: p(x|z).
        latent: the shape of z.
        beta: what a nat of rate weighs in the loss.
        reduction: how the loss reduces the distortion over the numbers of an example.
        prior: p(z).
        plain_elbo: whether the loss is distortion + β · rate.
        pictures: the mean image of z (B, D) where the likelihood cannot say it.
        seed: of the noise.
        floor: what the loss holds the rate at, nats per example; 0 where nothing.
    """

    rate_weight_key = "model.beta"
    beta: Tensor

    def __init__(
        self,
        encoder: Encoding,
        decoder: nn.Module,
        likelihood: Likelihood,
        latent: Latent,
        beta: float,
        reduction: str,
        prior: Prior,
        plain_elbo: bool = True,
        pictures: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
        floor: float = 0.0,
    ) -> None:
        parts: dict[str, Any] = {"prior": prior, "seed": seed, "distortion_reduction": reduction}
        super().__init__(encoder, decoder, likelihood, latent.size, **parts)
        self.latent, self.pictures, self.floor = latent, pictures, floor
        self.plain_elbo = plain_elbo  # type: ignore[misc]
        self.register_buffer("beta", torch.tensor(beta))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, stddev = self.encoder(x)
        return mean, stddev

    def rate_weight(self) -> Tensor:
        return self.beta

    def rate_floor(self) -> float:
        return self.floor

    def decode(self, z: Tensor, seed: int = 0, progress: bool = False) -> Tensor:
        return super().decode(z, seed, progress) if self.pictures is None else self.pictures(z)
