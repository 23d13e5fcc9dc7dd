"""δ-VAE: prior and posterior are chosen so that the rate cannot fall below δ."""

import math
from typing import Any, ClassVar

import torch
from scipy.special import lambertw
from torch import Tensor

from vae_lab.checks import choice, flag, number
from vae_lab.collective import batch_mean
from vae_lab.elbo.priors import AR1, Autoregressive, StandardNormal
from vae_lab.models.vae import VAE, Terms

LARGEST_DELTA = 30.0  # nats per dimension: beyond, the bounds of the variance leave float32


class DeltaVAE(VAE):
    """δ-VAE (Razavi et al. 2019): the loss is the VAE's, the rate is at least δ nats per image.

    ``variant``:

    - ``ar1`` (section 2.2): the latent is a sequence of ``steps`` steps in D / steps channels, its prior an AR(1)
      process to which no factorised posterior comes closer than δ;
    - ``independent`` (section 2.1): the prior is N(0, I), and the posterior is squeezed into the set of Gaussians with
      KL >= δ/D per dimension: σ lies between the two roots of ln σ² - σ² + 2δ/D + 1 = 0, and

      μ = √(2δ/D + 1 + ln σ² - σ² + max(0, φ))

    A guaranteed rate is no proof of a used latent: at its minimiser nothing is encoded and the rate is δ.

    The posteriors are kept away from the prior, so that the decoder has not seen most of what the prior draws. Samples
    therefore come from the paper's auxiliary prior, which is fitted to samples of the posteriors by maximum likelihood
    and touches neither the loss' value nor the gradients of the VAE (clipping by their common norm would). Rate, ELBO
    and the importance-weighted bound are those of ``prior``.

    Args:
        delta: δ > 0, nats per image over all latents.
        variant: ``ar1`` or ``independent``.
        steps: the length of the latent sequence, a divisor of ``latent_dim``; used by ``ar1``.
        auxiliary_prior: draw samples from a learnt prior, whose loss is logged as ``auxiliary_nll`` (nats per image).
        parts: the arguments of ``VAE`` but for the prior.

    Raises:
        ValueError: for an unknown variant, δ <= 0, or steps that do not divide ``latent_dim``.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = DeltaVAE(delta=2.0, steps=2, likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> model.commitment()
        'committed rate: at least 2 nats per image over 4 latents (AR(1), 2 steps x 2 channels, alpha = 0.9299)'
    """

    plain_elbo: ClassVar[bool] = False
    holds_rate: ClassVar[bool] = True
    variants: ClassVar = ("ar1", "independent")
    delta: Tensor
    stddev_low: Tensor
    stddev_high: Tensor

    def __init__(
        self,
        *,
        latent_dim: int,
        delta: float = 1.0,
        variant: str = "ar1",
        steps: int = 2,
        auxiliary_prior: bool = True,
        **parts: Any,
    ) -> None:
        self.variant = choice("variant", variant, self.variants)
        number("delta", delta, above=0, high=LARGEST_DELTA * latent_dim)
        prior = AR1(delta, latent_dim, steps) if variant == "ar1" else StandardNormal()
        super().__init__(latent_dim=latent_dim, prior=prior, **parts)
        self.register_buffer("delta", torch.tensor(float(delta)))
        if variant == "independent":
            low, high = (math.sqrt(root) for root in variance_bounds(delta / latent_dim))
            self.register_buffer("stddev_low", torch.tensor(low))
            self.register_buffer("stddev_high", torch.tensor(high))
        if flag("auxiliary_prior", auxiliary_prior):
            self.sampling_prior = Autoregressive(latent_dim)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.variant == "ar1":
            return super().posterior(x)
        location, raw_scale = self.encoded(x)
        stddev = self.stddev_low + (self.stddev_high - self.stddev_low) * raw_scale.sigmoid()
        variance = stddev.square()
        squared_mean = 2 * self.delta / self.latent_dim + 1 + variance.log() - variance + location.relu()
        return squared_mean.clamp(min=1e-12).sqrt(), stddev  # the clamp meets rounding only: at the roots this is 0

    def objective(self, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        loss, extra = super().objective(terms)
        if self.sampling_prior is None:
            return loss, extra
        nll = batch_mean(-self.sampling_prior.log_prob(terms.z.detach()))
        return loss + (nll - nll.detach()), extra | {"auxiliary_nll": nll}  # its gradient, without its value

    def rate_floor(self) -> float:
        return max(float(self.delta), super().rate_floor())

    def commitment(self) -> str:
        """One line for a person, before training: the rate that is promised, and by what."""
        if self.variant == "ar1":
            means = str(self.prior)
        else:
            low, high = float(self.stddev_low), float(self.stddev_high)
            means = f"independent, standard deviations from {low:.3g} to {high:.3g}"
        promised = f"{float(self.delta):g} nat{'' if self.delta == 1 else 's'}"
        return f"committed rate: at least {promised} per image over {self.latent_dim} latents ({means})"


def variance_bounds(delta: float) -> tuple[float, float]:
    """The two roots s of ln s - s + 2δ + 1 = 0: the variances at which a centred Gaussian has KL δ to N(0, 1)."""
    argument = -math.exp(-(2 * delta + 1))
    return float(-lambertw(argument, 0).real), float(-lambertw(argument, -1).real)
