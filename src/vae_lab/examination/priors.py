"""Priors of models from outside: N(0, I) unless a person says another, with the rate counted by unit."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, kl_divergence

from vae_lab.checks import ArgumentError
from vae_lab.elbo.priors import Prior, StandardNormal


def prior_of(given: Prior | Distribution | None, latent_dim: int) -> Prior:
    """The prior that a person means.

    Raises:
        ArgumentError: when the KL to it has no closed form.
    """
    if given is None:
        return StandardNormal()
    if isinstance(given, Prior):
        return given
    if isinstance(given, Distribution):
        return DistributionPrior(given, latent_dim)
    raise ArgumentError(
        "prior", type(given).__name__, "must be a torch.distributions object or one of vae_lab.elbo.priors"
    )


class DistributionPrior(Prior):
    """A ``torch.distributions`` object over the D latents, independent of each other.

    Args:
        given: with a batch shape of (), (D,) or the latent's own.
        latent_dim: D.

    Raises:
        ArgumentError: when it does not fit, or torch knows no KL of a Normal to it.

    Example:
        >>> DistributionPrior(Normal(0.0, 2.0), latent_dim=1).rate(torch.zeros(1, 1), torch.full((1, 1), 2.0))
        tensor([[0.]])
    """

    def __init__(self, given: Distribution, latent_dim: int) -> None:
        super().__init__()
        inner = getattr(given, "base_dist", given)
        try:
            self.given = inner.expand((latent_dim,)) if inner.batch_shape.numel() == 1 else flat(inner, latent_dim)
            self.rate(torch.zeros(1, latent_dim), torch.ones(1, latent_dim))
        except (NotImplementedError, RuntimeError, ValueError) as error:
            allowed = f"must be of {latent_dim} independent latents, with a KL that torch.distributions knows"
            raise ArgumentError("prior", given, allowed) from error

    def rate(self, mean: Tensor, stddev: Tensor) -> Tensor:
        rate: Tensor = kl_divergence(Normal(mean, stddev), self.given)
        return rate

    def log_prob(self, z: Tensor) -> Tensor:
        log_prob: Tensor = self.given.log_prob(z)
        return log_prob.sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        drawn: Tensor = self.given.icdf(torch.special.ndtr(noise))
        return drawn


def flat(given: Distribution, latent_dim: int) -> Distribution:
    """A Normal over a latent of any shape as one over D numbers.

    Raises:
        ValueError: for other distributions, and other sizes.
    """
    if tuple(given.batch_shape) == (latent_dim,):
        return given
    if not isinstance(given, Normal) or given.loc.numel() != latent_dim:
        raise ValueError("another size")
    return Normal(given.loc.flatten(), given.scale.flatten())


class ByUnit(Prior):
    """Another prior whose rate is summed over the neighbouring dimensions of each unit, such as a channel.

    Args:
        inner: over D dimensions.
        units: how many units they make.

    Example:
        >>> ByUnit(StandardNormal(), units=1).rate(torch.tensor([[1.0, 1.0]]), torch.ones(1, 2))
        tensor([[1.]])
    """

    def __init__(self, inner: Prior, units: int) -> None:
        super().__init__()
        self.inner, self.units = inner, units

    def rate(self, mean: Tensor, stddev: Tensor) -> Tensor:
        rate: Tensor = self.inner.rate(mean, stddev).unflatten(1, (self.units, -1)).sum(2)
        return rate

    def log_prob(self, z: Tensor) -> Tensor:
        return self.inner.log_prob(z)

    def sample(self, noise: Tensor) -> Tensor:
        return self.inner.sample(noise)
