"""Priors p(z): the rate of a Gaussian posterior against them, their density, and samples made from given noise.

A latent is always a flat (B, D); a prior over sequences reads it as (B, steps, channels).
"""

import math

import torch
from scipy.optimize import brentq
from torch import Tensor, nn
from torch.nn import functional

from vae_lab.checks import ArgumentError, integer, number, sequence_length
from vae_lab.elbo.divergences import ar1_committed_rate, kl_ar1, kl_standard_normal

LEAST_DELTA = 1e-12  # nats per channel: below, 1 - α² cannot be told from 1
LARGEST_U = 70.0  # -ln(1 - α²), where 1 - α² still fits float32
LARGEST_LOG_SCALE = 15.0  # of a learnt density: narrower than 3e-7 float32 cannot tell, and (z / σ)² stays finite


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, 1), elementwise."""
    return -0.5 * (z.square() + math.log(2 * math.pi))


class Prior(nn.Module):
    """Base of all priors."""

    def rate(self, mean: Tensor, stddev: Tensor) -> Tensor:
        """KL( q ‖ p ) of q = N(mean, stddev²), one term for each dimension: (B, D), nats."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of z (..., D): (...,), nats."""
        raise NotImplementedError

    def sample(self, noise: Tensor) -> Tensor:
        """Turn standard normal noise (B, D) into samples (B, D)."""
        raise NotImplementedError


class StandardNormal(Prior):
    """p(z) = N(0, I).

    Example:
        >>> StandardNormal().rate(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 1.0]]))
        tensor([[0.0000, 0.5000]])
    """

    def rate(self, mean: Tensor, stddev: Tensor) -> Tensor:
        return kl_standard_normal(mean, stddev)

    def log_prob(self, z: Tensor) -> Tensor:
        return standard_normal_log_prob(z).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        return noise


class AR1(Prior):
    """A stationary AR(1) process over ``steps`` steps in each channel, of unit marginal variance (Razavi et al. 2019).

    z_t = α z_{t-1} + √(1-α²) ε

    No factorised posterior comes closer than δ nats. α is solved in float64 from δ when
    the prior is made, never inside the loss.

    Args:
        delta: the committed rate, nats per image over all latents.
        latent_dim: D, which must be a multiple of ``steps``.
        steps: the sequence's length T, at least 2; the number of channels is D / T.

    Raises:
        ValueError: when δ is not positive or too large for float32, or when the dimensions do not fit.

    Example:
        >>> AR1(delta=1.0, latent_dim=4, steps=2).alpha
        tensor(0.7951)
    """

    alpha: Tensor
    innovation: Tensor

    def __init__(self, delta: float, latent_dim: int, steps: int) -> None:
        super().__init__()
        number("delta", delta, above=0)
        self.steps, self.channels = sequence_length(steps, latent_dim), latent_dim // steps
        per_channel = delta * steps / latent_dim
        if per_channel > ar1_committed_rate(math.exp(-LARGEST_U), steps):
            raise ArgumentError("delta", delta, f"too much for {steps} steps; use more steps or more channels")
        if per_channel < LEAST_DELTA:
            raise ArgumentError("delta", delta, f"must be at least {LEAST_DELTA * latent_dim / steps:g}")
        innovation = solve_innovation(per_channel, steps)
        self.register_buffer("alpha", torch.tensor(math.sqrt(1 - innovation)))
        self.register_buffer("innovation", torch.tensor(innovation))

    def __str__(self) -> str:
        return f"AR(1), {self.steps} steps x {self.channels} channels, alpha = {float(self.alpha):.4g}"

    def sequence(self, z: Tensor) -> Tensor:
        """View a flat latent (..., D) as (..., steps, channels)."""
        sequence: Tensor = z.unflatten(-1, (self.steps, -1))
        return sequence

    def rate(self, mean: Tensor, stddev: Tensor) -> Tensor:
        terms = kl_ar1(self.sequence(mean), self.sequence(stddev), self.alpha, self.innovation)
        return terms.flatten(-2)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of z (..., D): (...,), nats."""
        first, rest = self.sequence(z).tensor_split((1,), dim=-2)
        drift = self.sequence(z)[..., :-1, :] * self.alpha
        innovations = (rest - drift) / self.innovation.sqrt()
        log_density = torch.cat([first, innovations], dim=-2)
        count = rest.shape[-2] * rest.shape[-1]
        return standard_normal_log_prob(log_density).sum((-2, -1)) - 0.5 * count * self.innovation.log()

    def sample(self, noise: Tensor) -> Tensor:
        shocks = self.sequence(noise)
        z = [shocks[..., 0, :]]
        for t in range(1, self.steps):
            z.append(self.alpha * z[-1] + self.innovation.sqrt() * shocks[..., t, :])
        return torch.stack(z, dim=-2).flatten(-2)


def solve_innovation(delta: float, steps: int) -> float:
    """Return 1 - α² in (0, 1) at which an AR(1) prior over ``steps`` steps commits ``delta`` nats per channel.

    ``delta`` must lie below what 1 - α² = exp(-``LARGEST_U``) commits.
    """

    def excess(u: float) -> float:
        """In u = -ln(1 - α²) the committed rate is smooth, increasing, and 0 at u = 0."""
        return ar1_committed_rate(math.exp(-u), steps) - delta

    return math.exp(-brentq(excess, 0.0, LARGEST_U, xtol=1e-300, rtol=1e-15))


class MaskedLinear(nn.Linear):
    """A linear layer of which only the weights under ``mask`` (outputs, inputs) count (Germain et al. 2015)."""

    mask: Tensor

    def __init__(self, mask: Tensor, bias: bool = True) -> None:
        super().__init__(mask.shape[1], mask.shape[0], bias=bias)
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.mask, self.bias)


class Autoregressive(Prior):
    """A learnt density, the auxiliary prior of Razavi et al. (2019).

    p(z) = Π_d N(z_d; m(z_<d), s(z_<d)²)

    One masked network (MADE, Germain et al. 2015) with the degrees in natural order gives all m and log s at once: two
    hidden layers, beside which the outputs read z_<d directly, so that every Gaussian can be had exactly. It starts as
    N(0, I). It serves to draw samples: its KL from a Gaussian has no closed form, and ``rate`` raises
    ``NotImplementedError``.

    Args:
        latent_dim: D.
        hidden: the width of the hidden layers.

    Example:
        >>> prior = Autoregressive(latent_dim=4)
        >>> prior.log_prob(torch.zeros(2, 4)).shape
        torch.Size([2])
    """

    def __init__(self, latent_dim: int, hidden: int = 64) -> None:
        super().__init__()
        place = torch.arange(1, integer("latent_dim", latent_dim) + 1)
        degree = 1 + torch.arange(integer("hidden", hidden)) * max(latent_dim - 1, 1) // hidden  # spread over 1 ... D-1
        targets = place.repeat(2)  # m_1 ... m_D, log s_1 ... log s_D
        self.hidden = nn.Sequential(
            MaskedLinear(degree[:, None] >= place), nn.ReLU(), MaskedLinear(degree[:, None] >= degree), nn.ReLU()
        )
        self.output = MaskedLinear(targets[:, None] > degree)
        self.direct = MaskedLinear(targets[:, None] > place, bias=False)
        for parameter in (*self.output.parameters(), *self.direct.parameters()):
            nn.init.zeros_(parameter)

    def conditionals(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of each z_d given z_<d, both (..., D), of z (..., D)."""
        mean, log_scale = (self.output(self.hidden(z)) + self.direct(z)).chunk(2, dim=-1)
        return mean, LARGEST_LOG_SCALE * (log_scale / LARGEST_LOG_SCALE).tanh()

    def rate(self, mean: Tensor, stddev: Tensor) -> Tensor:
        raise NotImplementedError("the KL to an autoregressive density has no closed form; it is there to sample from")

    def log_prob(self, z: Tensor) -> Tensor:
        mean, log_scale = self.conditionals(z)
        return (standard_normal_log_prob((z - mean) * (-log_scale).exp()) - log_scale).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        z = torch.zeros_like(noise)
        for d in range(noise.shape[-1]):
            mean, log_scale = self.conditionals(z)  # exact up to place d, since the rest is not read there
            drawn = mean + log_scale.exp() * noise
            z = torch.cat([z[..., :d], drawn[..., d : d + 1], z[..., d + 1 :]], dim=-1)
        return z
