"""Likelihoods that only models from outside have: Laplace, a decoder's own distribution, a person's own cost."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.distributions import Laplace as TorchLaplace

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.elbo.likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood
from vae_lab.examination.form import Form

NAMES: dict[str, Callable[..., Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": partial(Gaussian, variance=1.0),
    "laplace": lambda: Laplace(),
}


def likelihood_named(name: str | Likelihood | None, variance: float | None = None) -> Likelihood:
    """The likelihood of a name, or the one that is given.

    Raises:
        ArgumentError: when there is none of that name, or ``variance`` belongs to another.

    Example:
        >>> likelihood_named("gaussian", variance=0.5).variance
        0.5
    """
    if isinstance(name, Likelihood):
        return name
    if name is None:
        raise ArgumentError("likelihood", None, f"must be given: one of {', '.join(NAMES)}; or distortion=f(z, x)")
    made = NAMES[choice("likelihood", name, NAMES)]
    if variance is None:
        return made()
    if name != "gaussian":
        raise ArgumentError("variance", variance, "needs likelihood='gaussian'")
    return Gaussian(variance=number("variance", variance, above=0))


class Laplace(Likelihood):
    """Independent Laplace pixels around the decoder's output: what an L1 loss, summed and over the scale b, stands for.

    -log p(x|z) = Σ |x - x̂| / b + P ln 2b

    Args:
        scale: b, in pixel units.

    Raises:
        ValueError: when the scale is not positive.

    Example:
        >>> Laplace().log_prob(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))  # -1 - ln 2
        tensor([-1.6931])
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = number("scale", scale, above=0)

    def forward(self, params: Tensor) -> Distribution:
        scale = torch.full_like(params, self.scale)
        return Independent(TorchLaplace(params, scale, validate_args=False), 3, validate_args=False)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        return -self.log_prob(mean.expand_as(x), x)


class Pictures(Distribution):
    """What is known of a distribution that only its own likelihood can score: its mean images (B, C, H, W)."""

    arg_constraints: ClassVar = {}

    def __init__(self, mean: Tensor) -> None:
        super().__init__(mean.shape[:1], mean.shape[1:], validate_args=False)
        self.images = mean

    @property
    def mean(self) -> Tensor:
        return self.images


class OwnDistribution(Likelihood):
    """The ``torch.distributions`` object that a person's decoder gives; its parameters are z itself.

    Args:
        decode: maps z (B, D) to a distribution over examples as ``form`` has them.
        form: how an example looks.
    """

    def __init__(self, decode: Callable[[Tensor], Distribution], form: Form) -> None:
        super().__init__()
        self.decode, self.form = decode, form

    def forward(self, params: Tensor) -> Distribution:
        return Pictures(self.form.images(self.decode(params).mean.float()))

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        log_prob: Tensor = self.decode(params).log_prob(self.form.given(x))
        return log_prob.reshape(len(x), -1).float().sum(1)

    def scores(self, x: Tensor) -> str:
        """``mass`` where the examples are whole numbers, ``density`` elsewhere."""
        return "density" if self.form.dtype.is_floating_point else "mass"

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        return torch.full((len(x),), math.nan)  # which z would give the mean example is not known


class OwnDistortion(Likelihood):
    """A person's own -log p(x|z); its parameters are z itself.

    Args:
        distortion: maps z as their decoder takes it and x as ``form`` has it to (B,), or to one cost for each number.
        form: how an example looks.

    Example:
        >>> p = OwnDistortion(lambda z, x: (x - z).square().sum(1), Form.of(torch.zeros(9, 2)))
        >>> p.log_prob(torch.zeros(1, 2), torch.ones(1, 1, 1, 2))
        tensor([-2.])
    """

    def __init__(self, distortion: Callable[[Any, Any], Tensor], form: Form) -> None:
        super().__init__()
        self.distortion, self.form = distortion, form
        self.pictures: Callable[[Tensor], Tensor] | None = None  # the mean image of z, where there is a decoder

    def forward(self, params: Tensor) -> Distribution:
        if self.pictures is None:
            raise NotImplementedError("a cost of one's own is no distribution")
        return Pictures(self.pictures(params))

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        cost = self.distortion(params, self.form.given(x))
        if cost.ndim == 0 or len(cost) != len(x):
            shape = tuple(cost.shape)
            allowed = "must give one cost for each example, (B,): reduction='none', then .flatten(1).sum(1)"
            raise ArgumentError("distortion", f"f(z, x) of shape {shape}", allowed)
        return -cost.flatten(1).sum(1).float() if cost.ndim > 1 else -cost.float()

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        return torch.full((len(x),), math.nan)  # which z would give the mean example is not known
