"""A person's own distortion, compared with what it would be as a sum: is it an average, and of which likelihood?"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from vae_lab.elbo.likelihoods import Bernoulli, Gaussian, Likelihood
from vae_lab.examination.likelihoods import Laplace

FITS = 1e-4  # relative error up to which a cost is an affine function of another
SAME = 1e-3  # relative error up to which two factors are the same


class Recognised(NamedTuple):
    """A cost that is ``factor`` times -log p(x|z) of a likelihood, up to a constant."""

    likelihood: Likelihood
    averaged: bool  # over the numbers of an example
    weight: float  # what remains of the factor: 1 for a plain sum or a plain mean
    words: str


def recognise(cost: Tensor, params: dict[str, Tensor], x: Tensor) -> Recognised | None:
    """Find the likelihood that a cost (B,) comes from; None where it is another.

    Args:
        cost: of x under several z.
        params: the decoder's output for them, (B, C, H, W), as each of ``CANDIDATES`` takes it, by name.
        x: (B, C, H, W).

    Example:
        >>> import torch
        >>> x = torch.rand(8, 1, 4, 4)
        >>> cost = (x - 0.5).square().flatten(1).mean(1)
        >>> found = recognise(cost, {"gaussian": torch.full_like(x, 0.5)}, x)
        >>> found.averaged, found.likelihood.variance
        (True, 0.5)
    """
    size = x[0].numel()
    for name, output in params.items():
        summed = -CANDIDATES[name]().log_prob(output, x).double()
        factor = affine_factor(cost.double(), summed)
        if factor is not None:
            return READINGS[name](factor, size)
    return None


def affine_factor(cost: Tensor, other: Tensor) -> float | None:
    """The a of cost = a · other + b, None where no a > 0 fits."""
    centred, reference = cost - cost.mean(), other - other.mean()
    spread = reference.square().sum()
    if spread <= 0:
        return None
    factor = (centred * reference).sum() / spread
    error = (centred - factor * reference).square().sum()
    return float(factor) if factor > 0 and error <= FITS**2 * centred.square().sum() else None


def near(a: float, b: float) -> bool:
    """Whether two factors are the same."""
    return abs(a - b) <= SAME * b


def read_bernoulli(factor: float, size: int) -> Recognised:
    """A cross-entropy times ``factor``."""
    averaged = near(factor, 1 / size)
    weight = factor * size if averaged else factor
    return Recognised(Bernoulli(), averaged, 1.0 if near(weight, 1) else weight, "binary cross-entropy")


def read_gaussian(factor: float, size: int) -> Recognised:
    """½ ‖x - x̂‖² times ``factor``: over 2σ², or as a mean with σ² = 1 or, for the mean squared error, ½."""
    for variance in (1.0, 0.5):
        if near(factor, 1 / (variance * size)):
            return Recognised(Gaussian(variance=variance), True, 1.0, "squared error")
    return Recognised(Gaussian(variance=1 / factor), False, 1.0, "squared error")


def read_laplace(factor: float, size: int) -> Recognised:
    """|x - x̂| times ``factor``: over b, or as a mean with b = 1."""
    if near(factor, 1 / size):
        return Recognised(Laplace(), True, 1.0, "absolute error")
    return Recognised(Laplace(scale=1 / factor), False, 1.0, "absolute error")


CANDIDATES: dict[str, Callable[[], Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": lambda: Gaussian(variance=1.0),
    "laplace": Laplace,
}
READINGS: dict[str, Callable[[float, int], Recognised]] = {
    "bernoulli": read_bernoulli,
    "gaussian": read_gaussian,
    "laplace": read_laplace,
}
