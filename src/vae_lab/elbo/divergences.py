"""Divergences in closed form or as estimators, in nats. Pure torch: tensors in, tensors out.

Shapes: B batch, D latent, T steps and S channels of a latent sequence (D = T·S).
"""

import math

import torch
from torch import Tensor


def kl_standard_normal(mean: Tensor, stddev: Tensor) -> Tensor:
    """KL( N(mean, stddev²) ‖ N(0, 1) ) for each element (Kingma & Welling 2014, appendix B): the shape of ``mean``.

    KL = ½ (mean² + stddev² - 1) - ln stddev

    Example:
        >>> kl_standard_normal(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0]))
        tensor([0., 2.])
    """
    return 0.5 * (mean.square() + stddev.square() - 1) - stddev.log()


def kl_ar1(mean: Tensor, stddev: Tensor, alpha: Tensor, innovation: Tensor) -> Tensor:
    """KL between independent Gaussians and a stationary AR(1) process, one term for each step.

    The prior is z_1 ~ N(0, 1), z_t = α z_{t-1} + √(1-α²) ε (Razavi et al. 2019, section 2.2). By the chain rule the KL
    is a sum over steps of E_q KL( q(z_t) ‖ p(z_t | z_{t-1}) ); these terms are returned, each of them >= 0.

    Args:
        mean: (..., T, S), the posterior's means.
        stddev: (..., T, S), its standard deviations.
        alpha: (), the process' correlation between neighbours.
        innovation: (), 1 - α², given apart because it loses its digits when it is computed from α near 1.

    Returns:
        (..., T, S), nats.

    Example:
        >>> mean, stddev = torch.zeros(2, 1), torch.ones(2, 1)
        >>> kl_ar1(mean, stddev, torch.tensor(0.8), torch.tensor(0.36)).flatten()
        tensor([0.0000, 1.2670])
    """
    previous_mean = torch.nn.functional.pad(mean[..., :-1, :], (0, 0, 1, 0))
    previous_var = torch.nn.functional.pad(stddev[..., :-1, :].square(), (0, 0, 1, 0))
    scale = torch.ones_like(mean) * innovation
    scale = torch.cat([torch.ones_like(mean[..., :1, :]), scale[..., 1:, :]], dim=-2)
    ratio = stddev.square() / scale
    drift = (mean - alpha * previous_mean).square() + alpha.square() * previous_var
    return 0.5 * (ratio - 1 + drift / scale) - stddev.log() + 0.5 * scale.log()


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances between the rows of ``x`` (N, D) and ``y`` (M, D): (N, M)."""
    expanded = x.square().sum(-1)[:, None] + y.square().sum(-1) - 2 * x @ y.T
    return expanded.clamp(min=0)


def rbf_kernel(squared_distance: Tensor, bandwidth: Tensor) -> Tensor:
    """exp(-r² / 2ℓ²), with ℓ² = ``bandwidth`` (in squared latent units)."""
    return (-squared_distance / (2 * bandwidth)).exp()


def imq_kernel(squared_distance: Tensor, bandwidth: Tensor) -> Tensor:
    """C / (C + r²), the inverse multiquadric, with C = ``bandwidth`` (in squared latent units)."""
    return bandwidth / (bandwidth + squared_distance)


KERNELS = {"rbf": rbf_kernel, "imq": imq_kernel}
ESTIMATORS = ("biased", "unbiased")


def bandwidth_of(kernel: str, latent_dim: int) -> int:
    """The bandwidth of a kernel that does not saturate as D grows: D for ``rbf``, 2D for ``imq``, as r² grows."""
    return latent_dim * (1 if kernel == "rbf" else 2)


def median_squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """The median of r² over all pairs of the pooled samples ``x`` (N, D) and ``y`` (M, D): (), in squared latent units.

    Each pair counts once and no sample is paired with itself; of an even number of pairs it is the mean of the middle
    two. A constant: no gradient flows through it. Gretton et al. 2012 (section 8) take it as the bandwidth.

    Example:
        >>> median_squared_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]]))
        tensor(4.)
    """
    pooled = torch.cat([x, y]).detach()
    one, other = torch.triu_indices(len(pooled), len(pooled), offset=1, device=pooled.device)
    ordered = squared_distances(pooled, pooled)[one, other].sort().values
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def mmd(x: Tensor, y: Tensor, kernel: str, bandwidths: Tensor, estimator: str) -> Tensor:
    """Squared maximum mean discrepancy between the samples ``x`` and ``y`` (Gretton et al. 2012, equations 3 and 5).

    MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y)

    The kernel is the mean over the bandwidths, so that k(x, x) = 1 and the MMD² is the mean of the single ones.

    Args:
        x: (N, D) samples of the one distribution.
        y: (M, D) samples of the other.
        kernel: ``rbf`` or ``imq``.
        bandwidths: (K,) or (), the kernel's ℓ² or C, in squared latent units.
        estimator: ``biased`` (the V-statistic, never negative) or ``unbiased`` (the U-statistic: the pairs of a sample
            with itself are left out within x and within y, never across; it can be negative).

    Returns:
        (), dimensionless.

    Example:
        >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [4.0]])
        >>> mmd(x, y, "rbf", torch.tensor(1.0), "biased")
        tensor(1.5276)
    """

    def k(a: Tensor, b: Tensor) -> Tensor:
        return KERNELS[kernel](squared_distances(a, b), bandwidths.reshape(-1, 1, 1)).mean(0)

    within_x, within_y, across = k(x, x), k(y, y), k(x, y).mean()
    if estimator == "biased":
        return within_x.mean() + within_y.mean() - 2 * across
    n, m = len(x), len(y)  # all kernels are 1 on the diagonal, so n and m are what the diagonals add
    return (within_x.sum() - n) / (n * (n - 1)) + (within_y.sum() - m) / (m * (m - 1)) - 2 * across


def ar1_committed_rate(innovation: float, steps: int) -> float:
    """The least KL of independent Gaussians to an AR(1) process, nats per channel (Razavi et al. 2019, section 2.2).

    δ = ½ [(n-2) ln(1+α²) - ln(1-α²)]

    for n = ``steps``, with 1-α² = ``innovation``.

    Example:
        >>> round(ar1_committed_rate(innovation=0.36, steps=2), 4)
        0.5108
    """
    return 0.5 * ((steps - 2) * math.log(2 - innovation) - math.log(innovation))
