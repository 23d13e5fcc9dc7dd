"""β-TCVAE: of the rate's three parts, the total correlation weighs β."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from vae_lab.checks import number
from vae_lab.collective import gather_rows
from vae_lab.elbo.decomposition import decomposition
from vae_lab.models.vae import VAE, Terms


class BetaTCVAE(VAE):
    """β-TCVAE (Chen et al. 2018, with its α = γ = 1).

    loss = distortion + kl_weight · ( penalty(rate) + (β - 1) · TC ),   TC = KL( q(z) ‖ Π_d q(z_d) )

    with TC estimated from the batch by ``decomposition``, which says how it is biased: batches should be large. The
    rate is in closed form. At β = 1 it is the VAE.

    Args:
        beta: β >= 1: below, dependent latents would be rewarded by an estimate.
        parts: the arguments of ``VAE`` but for the prior.

    Raises:
        ValueError: when β < 1 or not finite.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = BetaTCVAE(beta=6.0, likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> list(model(torch.rand(5, 1, 8, 8), torch.randn(1, 5, 4)).extra)
        ['total_correlation']
    """

    plain_elbo: ClassVar[bool] = False
    batchwise_terms: ClassVar[str] = "total correlation"
    beta: Tensor

    def __init__(self, *, beta: float = 6.0, **parts: Any) -> None:
        super().__init__(**parts)
        self.register_buffer("beta", torch.tensor(number("beta", beta, low=1)))

    def objective(self, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        loss, extra = super().objective(terms)
        everywhere = (gather_rows(part) for part in (terms.z, terms.mean, terms.stddev))
        correlation = decomposition(*everywhere).total_correlation
        return loss + self.kl_weight * (self.beta - 1) * correlation, extra | {"total_correlation": correlation}
