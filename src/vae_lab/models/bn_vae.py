"""BN-VAE: the posterior means are normalised over the batch to a fixed spread."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vae_lab.checks import number
from vae_lab.models.vae import VAE
from vae_lab.networks.batch_norm import bn_mean


class BNVAE(VAE):
    """BN-VAE (Zhu et al. 2020, section 3.3): the loss is the VAE's, the posterior means are normalised.

    mean = γ · BN(encoder's mean) + b

    γ is frozen, the shift b is learnt. Over a training batch, up to BatchNorm's eps (their equation 6),

    E[rate] >= D (γ² + b²) / 2 >= D γ² / 2

    That fixes the variance of every posterior mean, so each unit counts as active by construction,
    whether or not the decoder uses it. In evaluation the running statistics stand in for the batch's.

    Args:
        gamma: γ > 0, the frozen scale.
        parts: the arguments of ``VAE``.

    Raises:
        ValueError: when γ is not positive.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = BNVAE(gamma=0.5, likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> model.rate_floor()
        0.5
    """

    plain_elbo: ClassVar[bool] = False  # its posterior cannot be any Gaussian
    holds_rate: ClassVar[bool] = True
    batchwise_terms: ClassVar[str] = "BN statistics"
    min_batch_size = 2
    gamma: Tensor

    def __init__(self, *, gamma: float = 0.5, **parts: Any) -> None:
        super().__init__(**parts)
        self.register_buffer("gamma", torch.tensor(number("gamma", gamma, above=0)))
        self.normalise = nn.BatchNorm1d(self.latent_dim, affine=False)
        self.shift = nn.Parameter(torch.zeros(self.latent_dim))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, stddev = super().posterior(x)
        return bn_mean(mean, self.normalise, self.gamma, self.shift), stddev

    def bound(self) -> float:
        """Dγ²/2, nats per image: what the rate is at least on average over a training batch."""
        return self.latent_dim * float(self.gamma) ** 2 / 2

    def commitment(self) -> str:
        which = f"γ = {float(self.gamma):g} over {self.latent_dim} latents"
        return f"committed rate: at least {self.bound():g} nats per image on average over a training batch ({which})"

    def rate_floor(self) -> float:
        return max(self.bound(), super().rate_floor())
