"""The prior, and the aggregate posterior: what a decoder is asked for, and what it was trained on."""

import torch
from torch import Tensor

from vae_lab import noise
from vae_lab.elbo.priors import Prior
from vae_lab.latent_space.posteriors import Posteriors

DRAWS = 20_000  # from a prior, for its moments


def prior_covariance(prior: Prior, latent_dim: int) -> Tensor:
    """The covariance (D, D) of a prior, from ``DRAWS`` draws on the CPU.

    Example:
        >>> from vae_lab.elbo.priors import StandardNormal
        >>> prior_covariance(StandardNormal(), 2).round(decimals=1).abs()
        tensor([[1., 0.],
                [0., 1.]])
    """
    like = next((part for part in prior.buffers() if part.is_floating_point()), torch.zeros(()))
    draws = noise.normal((DRAWS, latent_dim), like, seed=0, purpose="moments", index=0)
    covariance: Tensor = torch.cov(prior.sample(draws).float().cpu().T)
    return covariance.reshape(latent_dim, latent_dim)


def aggregate_sample(found: Posteriors, n: int, seed: int = 0) -> Tensor:
    """``n`` draws (n, D) from the aggregate posterior: of the posterior of an image, for images drawn at random.

    q(z) = 1/N Σ_i q(z|x_i)

    Example:
        >>> points = Posteriors(torch.tensor([[-3.0], [3.0]]), torch.zeros(2, 1), torch.zeros(2, 1))
        >>> sorted(set(aggregate_sample(points, 50).flatten().tolist()))
        [-3.0, 3.0]
    """
    chosen = torch.from_numpy(noise.generator(seed, "aggregate").integers(len(found.mean), size=n))
    draws = noise.normal((n, found.mean.shape[1]), found.mean, seed=seed, purpose="aggregate", index=1)
    drawn: Tensor = found.mean[chosen] + found.stddev[chosen] * draws
    return drawn
