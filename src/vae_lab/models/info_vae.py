"""InfoVAE: the aggregate posterior is pulled to the prior by an MMD, each single posterior less or not at all."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from vae_lab.checks import ArgumentError, choice, did_you_mean, number
from vae_lab.collective import gather_rows
from vae_lab.elbo.divergences import ESTIMATORS, KERNELS, bandwidth_of, median_squared_distance, mmd
from vae_lab.models.vae import VAE, Terms


class InfoVAE(VAE):
    """InfoVAE with the MMD (Zhao, Song & Ermon 2019, equation 6 and section 3.2).

    loss = distortion + (1-α) · kl_weight · penalty(rate) + (α+λ-1) · MMD²( q(z), p(z) )

    with the MMD² between one posterior sample per image and as many prior samples. α = 0, λ = 1 is the VAE; α = 1,
    λ = 1 leaves the MMD alone.

    Args:
        alpha: α <= 1. The higher, the less each posterior pays for its rate.
        lambd: λ >= 1 - α: a negative weight would push the aggregate posterior away from the prior.
        kernel: ``rbf``, exp(-r²/2ℓ²), or ``imq``, C/(C+r²).
        bandwidth: ℓ² or C; when None, D for ``rbf`` and 2D for ``imq``, which do not saturate as D grows; ``median``
            takes the median squared distance of each batch's pooled samples, as a constant (Gretton et al. 2012).
        scales: the kernel is the mean over s of the kernel at s · bandwidth. Tolstikhin et al. 2018 take the sum over
            .1, .2, .5, 1, 2, 5, 10; with the mean, k(x, x) stays 1 and λ keeps its meaning.
        estimator: ``biased`` (never negative) or ``unbiased``.
        parts: the arguments of ``VAE``.

    Raises:
        ValueError: when a weight would be negative, for an unknown kernel or estimator, for a bandwidth that is neither
            positive nor ``median``, and for no scales or one that is not positive.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = InfoVAE(lambd=10.0, likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> output = model(torch.rand(5, 1, 8, 8), torch.randn(2, 5, 4))
        >>> list(output.extra)
        ['mmd']
    """

    plain_elbo: ClassVar[bool] = False
    batchwise_terms: ClassVar[str] = "MMD"
    noise_streams: int = 2
    alpha: Tensor
    lambd: Tensor
    bandwidth: Tensor | None  # (), None for the median
    scales: Tensor  # (K,)

    def __init__(
        self,
        *,
        alpha: float = 0.0,
        lambd: float = 1000.0,
        kernel: str = "rbf",
        bandwidth: float | str | None = None,
        scales: Sequence[float] = (1.0,),
        estimator: str = "biased",
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        number("alpha", alpha, high=1)
        number("lambd", lambd, low=1 - alpha)
        self.kernel = choice("kernel", kernel, KERNELS)
        self.estimator = choice("estimator", estimator, ESTIMATORS)
        if isinstance(bandwidth, str) and bandwidth != "median":
            hint = did_you_mean(bandwidth, ["median"])
            raise ArgumentError("bandwidth", bandwidth, f"must be a finite number > 0, median or null{hint}")
        if isinstance(scales, str) or not isinstance(scales, Sequence) or not scales:
            raise ArgumentError("scales", scales, "must be a list of one number or more")
        if bandwidth is None:
            bandwidth = bandwidth_of(kernel, self.latent_dim)
        fixed = None if bandwidth == "median" else torch.tensor(number("bandwidth", bandwidth, above=0))
        self.register_buffer("alpha", torch.tensor(float(alpha)))
        self.register_buffer("lambd", torch.tensor(float(lambd)))
        self.register_buffer("bandwidth", fixed)
        self.register_buffer("scales", torch.tensor([number("scales", scale, above=0) for scale in scales]))
        self.min_batch_size = self.min_eval_batch_size = 2 if estimator == "unbiased" else 1

    def rate_weight(self) -> Tensor:
        return 1 - self.alpha

    def objective(self, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        loss, extra = super().objective(terms)
        z, prior_sample = gather_rows(terms.z), gather_rows(self.prior.sample(terms.noise[1]))
        bandwidth = median_squared_distance(z, prior_sample) if self.bandwidth is None else self.bandwidth
        discrepancy = mmd(z, prior_sample, self.kernel, self.scales * bandwidth, self.estimator)
        return loss + (self.alpha + self.lambd - 1) * discrepancy, extra | {"mmd": discrepancy}
