"""Likelihoods p(x|z): the decoder's output (B, C, H, W) becomes a distribution over images with event shape (C, H, W).

``log_prob`` sums over all pixels and channels, so that β = 1 is the ELBO at any image size. Nats per image.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution, Independent, Normal

from vae_lab.checks import number


class Likelihood(nn.Module):
    """Base of all likelihoods. ``support`` is the closed range of pixel values that it can take, None for any."""

    support: tuple[float, float] | None = None

    def forward(self, params: Tensor) -> Distribution:
        """Turn the decoder's output (B, C, H, W) into a distribution over images."""
        raise NotImplementedError

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """log p(x|z): (B,), nats per image, summed over pixels and channels."""
        log_prob: Tensor = self(params).log_prob(x)
        return log_prob

    def pixel_variance(self, mean: Tensor) -> Tensor:
        """Variance of each pixel (C, H, W) of p(x|z) when its mean image is ``mean`` (C, H, W)."""
        raise NotImplementedError

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        """Distortion (B,) of a decoder that always answers with ``mean`` (C, H, W), the yardstick of any VAE.

        ``variance`` is the mean squared error of ``mean`` on the training set, the best σ² that a constant can have.
        """
        raise NotImplementedError


class Bernoulli(Likelihood):
    """Independent Bernoulli pixels; the decoder gives logits. Values between 0 and 1 score as cross-entropy.

    For grey values that is the usual objective but not a normalised density (Loaiza-Ganem & Cunningham 2019).
    """

    support = (0.0, 1.0)

    def forward(self, params: Tensor) -> Distribution:
        return Independent(TorchBernoulli(logits=params, validate_args=False), 3, validate_args=False)

    def pixel_variance(self, mean: Tensor) -> Tensor:
        return mean * (1 - mean)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        return -self.log_prob(torch.logit(mean, eps=1e-4).expand_as(x), x)


class Gaussian(Likelihood):
    """Independent Gaussian pixels around the decoder's output with one shared variance σ².

    Args:
        variance: σ² in squared pixel units, the start value when it is learnt. Directions of the data whose variance
            lies below βσ² collapse (Lucas et al. 2019).
        learned: learn log σ² together with the networks (Rybkin et al. 2021, section 3).

    Raises:
        ValueError: when the variance is not positive.
    """

    log_variance: Tensor

    def __init__(self, variance: float = 0.05, learned: bool = False) -> None:
        super().__init__()
        log_variance = torch.tensor(math.log(number("variance", variance, above=0)))
        self.learned = learned
        if learned:
            self.log_variance = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance)

    def forward(self, params: Tensor) -> Distribution:
        stddev = (0.5 * self.log_variance).exp()
        return Independent(Normal(params, stddev, validate_args=False), 3, validate_args=False)

    def pixel_variance(self, mean: Tensor) -> Tensor:
        return self.log_variance.detach().exp().expand_as(mean)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        sigma2 = torch.as_tensor(variance).to(x).clamp(min=1e-6) if self.learned else self.log_variance.exp()
        return (0.5 * ((x - mean).square() / sigma2 + sigma2.log() + math.log(2 * math.pi))).flatten(1).sum(1)
