"""An upper bound of the mutual information, for where the lower estimate meets its ceiling."""

import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from vae_lab import noise
from vae_lab.metrics.per_image import PerImage

Floats = NDArray[np.float64]
LogDensity = Callable[[Floats], Floats]  # of points (n, D): (n,)

MIXTURES = (2, 4, 8)  # components that are tried
FITTED = 4_000  # samples that a mixture is fitted to, at most
PER_PARAMETER = 2  # samples for each number of a mixture, at least
ENOUGH = 50  # samples to weigh the two forms of the bound
ITERATIONS = 50  # of expectation and maximisation


class Gaussian:
    """The Gaussian with mean and full covariance of the mixture of the posteriors N(mean, stddev²), each (n, D).

    Taken from the posteriors and not from samples of them, it is exact where they are all alike.

    Raises:
        LinAlgError: when the covariance is singular to rounding.
    """

    def __init__(self, mean: Floats, stddev: Floats) -> None:
        self.centre = mean.mean(0)
        covariance = np.atleast_2d(np.cov(mean.T, bias=True)) + np.diag(np.square(stddev).mean(0))
        self.factor = np.linalg.cholesky(covariance)
        self.log_volume = np.log(np.diag(self.factor)).sum()

    def whitened(self, z: Floats) -> Floats:
        """The points (n, D) in coordinates in which it is N(0, I)."""
        points: Floats = solve_triangular(self.factor, (z - self.centre).T, lower=True).T
        return points

    def __call__(self, z: Floats) -> Floats:
        """Log density of points (n, D): (n,), nats."""
        points = self.whitened(z)
        values: Floats = -0.5 * (np.square(points).sum(1) + z.shape[1] * math.log(2 * math.pi)) - self.log_volume
        return values


class Mixture:
    """A mixture of full-covariance Gaussians, fitted to z (n, D) in the coordinates of ``gaussian``."""

    def __init__(self, gaussian: Gaussian, z: Floats, components: int) -> None:
        self.gaussian = gaussian
        self.model = GaussianMixture(components, max_iter=ITERATIONS, reg_covar=1e-4, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a density that is not the best is still a density
            self.model.fit(gaussian.whitened(z[:FITTED]))

    def __call__(self, z: Floats) -> Floats:
        """Log density of points (n, D): (n,), nats."""
        values: Floats = self.model.score_samples(self.gaussian.whitened(z)) - self.gaussian.log_volume
        return values


def fit_density(mean: Floats, stddev: Floats, z: Floats, log_prior: LogDensity) -> LogDensity:
    """A log density close to q(z), from posteriors and one sample of each, all (n, D) and in random order.

    The prior, a Gaussian and mixtures are fitted to four fifths; the one that is likeliest on the last fifth is fitted
    to all.
    """
    cut = max(len(z) * 4 // 5, 1)
    fitting, rest = slice(cut), z[cut:]

    def fitted(components: int, rows: slice) -> LogDensity:
        if components == 0:
            return log_prior
        gaussian = Gaussian(mean[rows], stddev[rows])
        return gaussian if components == 1 else Mixture(gaussian, z[rows], components)

    dims = z.shape[1]
    affordable = [k for k in MIXTURES if k * dims * (dims + 3) / 2 * PER_PARAMETER <= min(cut, FITTED)]
    scores = {0: float(log_prior(rest).mean())} if len(rest) else {}
    for components in (1, *affordable):
        try:
            scores[components] = float(fitted(components, fitting)(rest).mean()) if len(rest) else 0.0
        except (np.linalg.LinAlgError, ValueError):  # a singular covariance, or sklearn's word for it
            continue
    best = max(scores, key=lambda components: scores[components], default=0)
    return fitted(best, slice(None))


def mutual_information_upper(
    mean: Tensor, stddev: Tensor, z: Tensor, rate: Tensor, log_prior: Callable[[Tensor], Tensor], seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Bound the mutual information of x and z under q from above, nats: the bound () and its standard error ().

    I_q(x; z) = E rate - KL( q(z) ‖ p(z) ) <= E [ rate - log q̂(z) + log p(z) ] = E [ log q(z|x) - log q̂(z) ]

    for any density q̂ that has not seen the samples of the expectation (Barber & Agakov 2003). q̂ is fitted to a random
    half of the images and the expectation taken over the other half: a bound in expectation, above the truth by
    KL( q(z) ‖ q̂ ). It has no ceiling; with few images and many dimensions it is loose. Of the two forms on the right
    that mixture is taken which varies least on the first half.

    Args:
        mean: (N, D), posterior means.
        stddev: (N, D), posterior standard deviations.
        z: (N, D), one sample of each posterior.
        rate: (N,), KL( q(z|x) ‖ p(z) ).
        log_prior: log p(z) of z (n, D): (n,).
        seed: of the halves.

    Example:
        >>> mean = 3 * torch.randn(1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        >>> z = mean + torch.randn(1000, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        >>> prior = torch.distributions.Normal(0, 1)
        >>> bound, error = mutual_information_upper(
        ...     mean, torch.ones(1000, 1), z, 0.5 * mean.square().sum(1), lambda z: prior.log_prob(z).sum(1)
        ... )
        >>> abs(bound.item() - 0.5 * math.log(10)) < 3 * error.item()  # the truth is ½ log 10
        True
    """
    if not all(bool(part.isfinite().all()) for part in (mean, stddev, z, rate)):
        return torch.tensor(math.nan), torch.tensor(math.nan)
    mean, stddev, z, rate = (part.detach().double().cpu() for part in (mean, stddev, z, rate))
    order = noise.permutation(len(z), seed=seed, purpose="halves")
    some, others = order[: len(z) // 2], order[len(z) // 2 :]

    def prior(points: Floats) -> Floats:
        values: Floats = log_prior(torch.from_numpy(points)).double().numpy()
        return values

    density = fit_density(mean[some].numpy(), stddev[some].numpy(), z[some].numpy(), prior)
    own = torch.distributions.Normal(mean, stddev, validate_args=False).log_prob(z).sum(1)
    excess = own - torch.from_numpy(density(z.numpy()))
    nothing = rate - own + torch.from_numpy(prior(z.numpy()))  # its mean is 0, whatever the posterior
    bound = excess[others] + weight(excess[some], nothing[some]) * nothing[others]
    return bound.mean(), (bound.var(correction=0) / max(len(bound) - 1, 1)).sqrt()


def weight(figure: Tensor, nothing: Tensor) -> float:
    """The weight of a control variate ``nothing`` (n,) of mean 0 with which ``figure`` (n,) varies least."""
    if len(figure) < ENOUGH or nothing.var() == 0:
        return 1.0
    return -(torch.cov(torch.stack([figure, nothing]))[0, 1] / nothing.var()).item()


class MutualInformationUpper(PerImage):
    """``mutual_information_upper`` over a split.

    ``update`` takes ``indices`` (B,) and ``mean``, ``stddev``, ``z`` and ``rate``, each (B, D). ``compute`` gives
    ``mutual_information_upper`` (), nats per image, and its standard error, ``mutual_information_upper_se`` ().

    Args:
        log_prior: log p(z) of z (n, D): (n,).
        seed: of the halves.
        images: measure this many images, evenly spread over the split, in place of all.

    Example:
        >>> metric = MutualInformationUpper(lambda z: torch.distributions.Normal(0, 1).log_prob(z).sum(1))
        >>> z = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> q = {"mean": torch.zeros(100, 2), "stddev": torch.ones(100, 2)}  # every posterior is the prior
        >>> metric.update(torch.arange(100), z=z, rate=torch.zeros(100, 2), **q)
        >>> metric.compute()["mutual_information_upper"].item()
        0.0
    """

    def __init__(self, log_prior: Callable[[Tensor], Tensor], seed: int = 0, images: int | None = None) -> None:
        super().__init__("means", "stddevs", "zs", "rates", images=images)
        self.log_prior, self.seed = log_prior, seed

    def update(self, indices: Tensor, mean: Tensor, stddev: Tensor, z: Tensor, rate: Tensor) -> None:
        self.keep(indices, mean, stddev, z, rate.double().sum(1))

    def compute(self) -> dict[str, Tensor]:
        mean, stddev, z, rate = self.kept()
        bound, error = mutual_information_upper(mean, stddev, z, rate, self.log_prior, self.seed)
        return {"mutual_information_upper": bound, "mutual_information_upper_se": error}
