"""β-VAE: the rate weighs β."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from vae_lab.checks import number
from vae_lab.models.vae import VAE


class BetaVAE(VAE):
    """β-VAE (Higgins et al. 2017, equation 4).

    loss = distortion + β · kl_weight · penalty(rate)

    Args:
        beta: β >= 0; at 1 it is the VAE.
        parts: the arguments of ``VAE``.

    Raises:
        ValueError: when β is negative or not finite.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = BetaVAE(beta=4.0, likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> model.rate_weight()
        tensor(4.)
    """

    plain_elbo: ClassVar[bool] = True
    rate_weight_key: ClassVar[str | None] = "model.beta"
    beta: Tensor

    def __init__(self, *, beta: float = 1.0, **parts: Any) -> None:
        super().__init__(**parts)
        self.register_buffer("beta", torch.tensor(number("beta", beta, low=0)))

    def rate_weight(self) -> Tensor:
        return self.beta
