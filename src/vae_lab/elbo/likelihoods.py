"""Likelihoods p(x|z): the decoder's output (B, C, H, W) becomes a distribution over images with event shape (C, H, W).

``log_prob`` sums over all pixels and channels, so that β = 1 is the ELBO at any image size. Nats per image.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from vae_lab.checks import ArgumentError, choice, integer, number
from vae_lab.collective import batch_mean
from vae_lab.elbo.distributions import MARGIN, RoundedLogistic, TiltedUniform, inside, tilt

LOWEST_LOG_STDDEV = -6.0  # where the optimal variance is softly clipped
MOMENTUM = 0.1  # of a batch in the running variance
LEAST_VARIANCE = 1e-30  # what float32 can still divide a squared error by


class Likelihood(nn.Module):
    """Base of all likelihoods.

    ``support`` is the closed range of pixel values that it can take, None for any. ``discrete`` says that ``log_prob``
    is a log probability mass over the levels of a pixel, so that bits per dimension make sense. ``fit`` says where its
    width comes from: ``fixed``, or else it follows the data.
    """

    support: tuple[float, float] | None = None
    discrete: bool = False
    fit: str = "fixed"

    @property
    def learned(self) -> bool:
        """Whether its width follows the data."""
        return self.fit != "fixed"

    @property
    def variance(self) -> float | None:
        """σ² as it is now, in squared pixel units, where pixels are Gaussian with one shared σ²; None elsewhere."""
        return None

    def forward(self, params: Tensor) -> Distribution:
        """Turn the decoder's output (B, C, H, W) into a distribution over images."""
        raise NotImplementedError

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """log p(x|z): (B,), nats per image, summed over pixels and channels."""
        log_prob: Tensor = self(params).log_prob(x)
        return log_prob

    def quantile(self, params: Tensor, u: Tensor) -> Tensor:
        """Pixels (B, C, H, W) at the probabilities u (B, C, H, W) in [0, 1): uniform noise becomes a sample."""
        raise NotImplementedError

    def parents(self, channels: int) -> tuple[int, ...]:
        """For each parameter of a pixel, how many of the pixel's own channels, in order, it may depend on.

        Its length is the number of channels that a decoder gives for images of ``channels``. An autoregressive decoder
        reads, beside the pixels before, so many channels of the pixel itself: p(r) p(g|r) p(b|r,g).
        """
        return tuple(range(channels))

    def check(self, x: Tensor) -> None:
        """Refuse images x (N, C, H, W) that it cannot score.

        Raises:
            ValueError: naming the argument that they do not fit.
        """

    def scores(self, x: Tensor) -> str:
        """What -log p(x|z) of images x (N, C, H, W) is: of a ``mass``, a ``density``, or a ``cross-entropy``."""
        return "mass" if self.discrete else "density"

    def pixel_variance(self, mean: Tensor) -> Tensor | None:
        """Variance of each pixel (C, H, W) of p(x|z) when its mean image is ``mean`` (C, H, W).

        None where the theory of the spectrum does not hold: it needs a decoder whose output is the natural parameter
        of an exponential family, or a Gaussian mean.
        """
        return None

    def fitted_variance(self, squared_error: float) -> float | None:
        """The σ² that weighs a squared error, by 1/2σ², once it suits their mean per pixel, where it follows them."""
        return self.variance

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        """Distortion (B,) of a decoder that always answers with ``mean`` (C, H, W), the yardstick of any VAE.

        ``variance`` is the mean squared error of ``mean`` on the training set, the best σ² that a constant can have.
        """
        raise NotImplementedError


class Bernoulli(Likelihood):
    """Independent Bernoulli pixels; the decoder gives logits. Values between 0 and 1 score as cross-entropy.

    For grey values that is the usual objective but not a normalised density (Loaiza-Ganem & Cunningham 2019).

    Example:
        >>> Bernoulli().log_prob(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))  # 4 ln ½
        tensor([-2.7726])
    """

    support = (0.0, 1.0)

    def forward(self, params: Tensor) -> Distribution:
        return Independent(TorchBernoulli(logits=params, validate_args=False), 3, validate_args=False)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        return -binary_cross_entropy_with_logits(params, x, reduction="none").flatten(1).sum(1)

    def quantile(self, params: Tensor, u: Tensor) -> Tensor:
        """Pixels (B, C, H, W) of noise u (B, C, H, W) in [0, 1): 1 where u < p, white first."""
        return (u < params.sigmoid()).to(params)

    def scores(self, x: Tensor) -> str:
        """``mass`` of black and white images, ``cross-entropy`` of grey ones."""
        return "mass" if bool(((x == 0) | (x == 1)).all()) else "cross-entropy"

    def pixel_variance(self, mean: Tensor) -> Tensor:
        return mean * (1 - mean)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        return -self.log_prob(torch.logit(mean, eps=MARGIN).expand_as(x), x)


class ContinuousBernoulli(Likelihood):
    """Independent pixels with density ∝ exp(logit · x) on [0, 1], the Bernoulli for grey values that is normalised.

    The decoder gives logits (Loaiza-Ganem & Cunningham 2019). The mean is not their sigmoid.

    Example:
        >>> ContinuousBernoulli()(torch.full((1, 1, 1, 1), 2.0)).mean
        tensor([[[[0.6565]]]])
    """

    support = (0.0, 1.0)

    def forward(self, params: Tensor) -> Distribution:
        return Independent(TiltedUniform(params), 3, validate_args=False)

    def quantile(self, params: Tensor, u: Tensor) -> Tensor:
        return TiltedUniform(params).icdf(inside(u))

    def pixel_variance(self, mean: Tensor) -> Tensor:
        return TiltedUniform(tilt(mean)).variance.to(mean)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        return -self.log_prob(tilt(mean).to(x).expand_as(x), x)


class Gaussian(Likelihood):
    """Independent Gaussian pixels around the decoder's output with one shared variance σ².

    Args:
        variance: σ² in squared pixel units, the start value when it is not fixed. Directions of the data whose
            variance lies below βσ² collapse (Lucas et al. 2019).
        fit: where σ² comes from (Rybkin et al. 2021, section 3): ``fixed``; ``learned``, log σ² is a parameter beside
            the networks; or ``optimal``, the σ-VAE: in training each batch has the σ² that suits it best, its own mean
            squared error, with log σ softly clipped at -6 from below, and gradients pass through it.
            Evaluation, sampling and ``log_variance`` use its running average, so no test batch sets its own σ².

    Raises:
        ValueError: when the variance is smaller than float32 can divide by, 1e-30, or for an unknown fit.

    Example:
        >>> Gaussian(variance=0.25).log_prob(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
        tensor([-2.2258])
    """

    log_variance: Tensor

    def __init__(self, variance: float = 0.05, fit: str = "fixed") -> None:
        super().__init__()
        log_variance = torch.tensor(math.log(number("variance", variance, low=LEAST_VARIANCE)))
        self.fit = choice("fit", fit, ("fixed", "learned", "optimal"))
        if fit == "learned":
            self.log_variance = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance)

    @property
    def variance(self) -> float:
        """σ² as it is now, in squared pixel units."""
        return float(self.log_variance.detach().exp())

    def forward(self, params: Tensor) -> Distribution:
        return gaussian(params, self.log_variance)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        if self.fit != "optimal" or not self.training:
            return super().log_prob(params, x)
        log_variance = optimal_log_variance(params, x)
        with torch.no_grad():
            running = self.log_variance.exp()
            self.log_variance.copy_((running + MOMENTUM * (log_variance.exp() - running)).log())
        log_prob: Tensor = gaussian(params, log_variance).log_prob(x)
        return log_prob

    def quantile(self, params: Tensor, u: Tensor) -> Tensor:
        noise: Tensor = torch.special.ndtri(inside(u))
        return params + (0.5 * self.log_variance).exp() * noise

    def pixel_variance(self, mean: Tensor) -> Tensor:
        return self.log_variance.detach().exp().expand_as(mean)

    def fitted_variance(self, squared_error: float) -> float:
        """The σ² that weighs a squared error, by 1/2σ², once it suits their mean per pixel: that mean, if it is learnt.

        Where it is ``optimal`` the clip is counted in: gradients pass through it, so that it matters near -6 only.

        Example:
            >>> Gaussian(fit="learned").fitted_variance(0.25)
            0.25
        """
        if self.fit != "optimal":
            return squared_error if self.learned else self.variance
        mse = torch.tensor(squared_error, dtype=torch.float64, requires_grad=True)
        log_variance = clipped_log_variance(mse)
        (price,) = torch.autograd.grad(mse / log_variance.exp() + log_variance, mse)
        return float(1 / price)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        sigma2 = torch.as_tensor(variance).to(x).clamp(min=1e-6) if self.learned else self.log_variance.exp()
        return (0.5 * ((x - mean).square() / sigma2 + sigma2.log() + math.log(2 * math.pi))).flatten(1).sum(1)


class DiscretizedLogistic(Likelihood):
    """Independent logistic pixels around the decoder's output, rounded to ``levels`` grey values; one shared scale.

    It gives probability masses, so distortions compare with published bits per dimension (Kingma et al. 2016,
    appendix; Salimans et al. 2017, section 2.1). The outermost levels take the whole tails.

    Args:
        levels: of a pixel, k / (levels - 1) for k = 0, ..., levels - 1.
        scale: s of the logistic in pixel units, the start value when it is learnt; its variance is π²s²/3.
        fit: ``learned``, log s is a parameter beside the networks, or ``fixed``.

    Raises:
        ValueError: when there are fewer than two levels, the scale is not positive, or for an unknown fit.

    Example:
        >>> p = DiscretizedLogistic(levels=2, scale=0.1)
        >>> p.log_prob(torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1))  # black or white, at even odds
        tensor([-0.6931], grad_fn=<SumBackward1>)
    """

    support = (0.0, 1.0)
    discrete = True
    log_scale: Tensor

    def __init__(self, levels: int = 256, scale: float = 0.1, fit: str = "learned") -> None:
        super().__init__()
        self.levels = integer("levels", levels, low=2)
        log_scale = torch.tensor(math.log(number("scale", scale, above=0)))
        self.fit = choice("fit", fit, ("fixed", "learned"))
        if fit == "learned":
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, params: Tensor) -> Distribution:
        return Independent(RoundedLogistic(params, self.log_scale.exp(), self.levels), 3, validate_args=False)

    def quantile(self, params: Tensor, u: Tensor) -> Tensor:
        return RoundedLogistic(params, self.log_scale.exp(), self.levels).icdf(inside(u))

    def check(self, x: Tensor) -> None:
        check_levels(x, self.levels)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        fixed = RoundedLogistic(mean.expand_as(x), self.log_scale.exp(), self.levels)
        pixel = best_logistic(x, mean, variance, self.levels) if self.learned else fixed
        return -pixel.log_prob(x).flatten(1).sum(1)


def check_levels(x: Tensor, levels: int) -> None:
    """Refuse images whose pixels are not k / (levels - 1).

    Raises:
        ArgumentError: naming ``levels``.
    """
    steps = x.double() * (levels - 1)
    off = ((steps - steps.round()).abs() > 0.01) | (x < 0) | (x > 1)
    if off.any():
        raise ArgumentError(
            "levels",
            levels,
            f"needs pixels k/{levels - 1} in [0, 1], but {off.double().mean():.2%} "
            f"of them are not, such as {x[off][0].item():.4g}; give the number of levels that the data have",
        )


def best_logistic(x: Tensor, mean: Tensor, variance: float, levels: int) -> RoundedLogistic:
    """The logistics around ``mean`` (C, H, W) whose variance is ``variance``, for images x (B, C, H, W)."""
    scale = (3 * torch.as_tensor(variance).to(x).clamp(min=1e-6)).sqrt() / math.pi
    return RoundedLogistic(mean.expand_as(x), scale, levels)


def gaussian(params: Tensor, log_variance: Tensor) -> Distribution:
    """N(params, σ²) over images, from params (B, C, H, W) and log σ² ()."""
    return Independent(Normal(params, (0.5 * log_variance).exp(), validate_args=False), 3, validate_args=False)


def optimal_log_variance(params: Tensor, x: Tensor) -> Tensor:
    """Log of the mean squared error () of a batch, softly clipped (Rybkin et al. 2021)."""
    return clipped_log_variance(batch_mean((x - params).square().flatten(1).mean(1)))


def clipped_log_variance(mse: Tensor) -> Tensor:
    """Log of a mean squared error (), with log σ softly clipped from below."""
    log_stddev = 0.5 * mse.clamp(min=torch.finfo(mse.dtype).tiny).log()
    return 2 * (LOWEST_LOG_STDDEV + softplus(log_stddev - LOWEST_LOG_STDDEV))
