"""DIP-VAE: the covariance of the aggregate posterior is pulled to the identity."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from vae_lab.checks import choice, number
from vae_lab.collective import batch_mean
from vae_lab.models.vae import VAE, Terms


def aggregate_covariance(mean: Tensor, stddev: Tensor, samples: bool) -> Tensor:
    """The covariance (D, D) of the posterior means (B, D) of the batch, or, with ``samples``, of z itself.

    Cov[z] = Cov[μ] + E[ diag σ² ]

    Example:
        >>> mean = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
        >>> aggregate_covariance(mean, torch.ones(2, 2), samples=True)
        tensor([[2., 1.],
                [1., 2.]])
    """
    centred = mean - batch_mean(mean)
    covariance = batch_mean(centred[:, :, None] * centred[:, None, :])
    return covariance + torch.diag_embed(batch_mean(stddev.square())) if samples else covariance


class DIPVAE(VAE):
    """DIP-VAE (Kumar et al. 2018).

    loss = distortion + kl_weight · penalty(rate) + λ_od Σ_i≠j Cov_ij² + λ_d Σ_i (Cov_ii - 1)²

    with Cov the covariance over the batch of the posterior means (version I) or of z (version II).

    Args:
        offdiagonal: λ_od >= 0.
        diagonal: λ_d >= 0; the paper has 10 λ_od for I, λ_od for II.
        version: ``I`` or ``II``.
        parts: the arguments of ``VAE``.

    Raises:
        ValueError: for an unknown version or a negative strength.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = DIPVAE(likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> list(model(torch.rand(5, 1, 8, 8), torch.randn(1, 5, 4)).extra)
        ['covariance_penalty']
    """

    plain_elbo: ClassVar[bool] = False
    batchwise_terms: ClassVar[str] = "covariance of the posteriors"
    offdiagonal: Tensor
    diagonal: Tensor

    def __init__(self, *, offdiagonal: float = 10.0, diagonal: float = 10.0, version: str = "II", **parts: Any) -> None:
        super().__init__(**parts)
        self.version = choice("version", version, ("I", "II"))
        self.register_buffer("offdiagonal", torch.tensor(number("offdiagonal", offdiagonal, low=0)))
        self.register_buffer("diagonal", torch.tensor(number("diagonal", diagonal, low=0)))

    def objective(self, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        loss, extra = super().objective(terms)
        covariance = aggregate_covariance(terms.mean, terms.stddev, samples=self.version == "II")
        variances = covariance.diagonal()
        apart = covariance.square().sum() - variances.square().sum()
        penalty = self.offdiagonal * apart + self.diagonal * (variances - 1).square().sum()
        return loss + penalty, extra | {"covariance_penalty": penalty}
