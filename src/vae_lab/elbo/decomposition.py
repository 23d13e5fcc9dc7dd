"""What the rate is made of, estimated from a batch: mutual information, total correlation, KL of each dimension.

Shapes: B batch, D latent. Nats.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Decomposition(NamedTuple):
    """The three parts of the rate to N(0, I), each ()."""

    mutual_information: Tensor  # I(x; z) = KL( q(x, z) ‖ q(x) q(z) )
    total_correlation: Tensor  # KL( q(z) ‖ Π_d q(z_d) )
    dimension_kl: Tensor  # Σ_d KL( q(z_d) ‖ N(0, 1) )


def log_normal(z: Tensor, mean: Tensor, stddev: Tensor) -> Tensor:
    """Log density of N(mean, stddev²) at z, elementwise."""
    return -0.5 * (((z - mean) / stddev).square() + math.log(2 * math.pi)) - stddev.log()


def decomposition(z: Tensor, mean: Tensor, stddev: Tensor) -> Decomposition:
    """Estimate the parts of the rate from one sample of each posterior of a batch (Chen et al. 2018, section 2.1).

    rate = I(x; z) + KL( q(z) ‖ Π_d q(z_d) ) + Σ_d KL( q(z_d) ‖ p(z_d) )

    with q(z) and each q(z_d) the mixture of the batch's own posteriors. The parts add up to E[log q(z|x) - log p(z)] of
    the samples exactly. I is at most log B, and total correlation takes what it misses: the smaller the batch and the
    larger D, the more biased they are. The paper's weights, which count all images of the data, shift the estimates by
    multiples of the logarithm of their number, and have the same gradients.

    Args:
        z: (B, D), one sample of each posterior.
        mean: (B, D), of the posteriors.
        stddev: (B, D).

    Example:
        >>> mean = torch.tensor([[-9.0, -9.0], [9.0, 9.0]])  # two images apart: one bit, the same in both dimensions
        >>> parts = decomposition(mean, mean, torch.ones(2, 2))
        >>> [round(part.item() / math.log(2), 3) for part in parts[:2]]
        [1.0, 1.0]
    """
    pairs = log_normal(z[:, None], mean, stddev)  # (B, B, D): sample i under posterior j
    size = math.log(len(mean))
    joint = pairs.sum(2).logsumexp(1) - size
    each = (pairs.logsumexp(1) - size).sum(1)
    own = log_normal(z, mean, stddev).sum(1)
    prior = log_normal(z, torch.zeros_like(z), torch.ones_like(z)).sum(1)
    return Decomposition((own - joint).mean(), (joint - each).mean(), (each - prior).mean())
