"""The optimum of the linear Gaussian VAE under each penalty, in closed form. Pure maths on arrays, nats.

Linear encoder and decoder, p(x|z) = N(x̂, σ²I), data with the covariance eigenvalues λ_1 >= λ_2 >= ... In units of σ²
they are e_i = λ_i/σ². Spending R_i nats on direction i leaves the squared error e_i exp(-2 R_i) there, and at any price
of the rate the optimum is reverse water-filling: R_i = ½ log⁺(e_i/τ) for the level τ that the price sets (Lucas et al.
2019, section 4, for τ = β). P is the number of pixels, D of latents.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from vae_lab.elbo.controllers import Adaptive, Geco, ProportionalIntegral
from vae_lab.elbo.penalties import Capacity, Controlled, FreeBits, Penalty, Plain
from vae_lab.linear_theory.spectrum import Floats

LOWEST = -700.0  # log τ, which exp still tells from 0


@dataclass(frozen=True)
class Optimum:
    """The linear VAE's optimum. ``collapsed`` counts latents without any rate."""

    rates: Floats  # (D,), nats, in the order of falling eigenvalues
    squared_error: float  # E‖x - x̂‖², in squared pixel units
    variance: float  # σ²
    pixels: int  # P

    @property
    def distortion(self) -> float:
        """-E log p(x|z), nats per image."""
        return 0.5 * (self.squared_error / self.variance + self.pixels * float(np.log(2 * np.pi * self.variance)))

    @property
    def collapsed(self) -> int:
        return int((self.rates < 1e-9).sum())


Spent = tuple[Floats, Floats]  # rates (D,) and what is left of e (D,)


def spend(e: Floats, rates: Floats) -> Spent:
    """Rates (D,) and the squared errors e·exp(-2R) that they leave."""
    return rates, e * np.exp(-2 * rates)


def fill(e: Floats, level: float) -> Floats:
    """R_i = ½ log⁺(e_i/τ), (D,), at the level τ > 0."""
    return 0.5 * np.log(np.maximum(e / level, 1))


def level_of_rate(e: Floats, rate: float) -> float:
    """The level τ at which Σ R_i is ``rate``: the highest of those that the first k directions would have alone."""
    logs = np.log(e[e > 0])
    levels = (np.cumsum(logs) - 2 * rate) / np.arange(1, len(logs) + 1)
    return float(np.exp(max(levels.max(), LOWEST)))


def level_of_error(e: Floats, error: float) -> float:
    """The level τ at which ``error`` > 0 of Σ e is left, Σ min(e_i, τ), found likewise; above e_1 for error > Σ e."""
    left = np.append(np.cumsum(e[:0:-1])[::-1], 0.0)  # what the directions beyond the first k leave
    return float(((error - left) / np.arange(1, len(e) + 1)).max())


def batch_normalised(e: Floats, gamma: float) -> Spent:
    """BN-VAE with diagonal networks: the posterior means have the variance γ² in each dimension, used or not.

    The posterior variance s² solves e γ²/(γ² + s²)² + 1 = 1/s², a cubic: for γ² < 1/8 the loss may have two minima, of
    which the lower counts. The rate is ½(γ² + s² - 1 - ln s²), at least γ²/2.
    """
    g = gamma**2
    s = np.array([lowest(value, g) for value in e])
    return 0.5 * (g + s - 1 - np.log(s)), e * s / (g + s)


def lowest(e: float, g: float) -> float:
    """The s² in (0, 1] of the least loss ½(e s²/(γ² + s²) + s² - ln s²), g = γ²."""
    roots = np.roots([1, 2 * g - 1, g * (g - 2 + e), -(g**2)])
    s = roots.real[(abs(roots.imag) < 1e-6) & (roots.real > 0)].clip(max=1)
    return float(s[np.argmin(e * s / (g + s) + s - np.log(s))])


def allocate(penalty: Penalty, e: Floats, beta: float) -> Floats | None:
    """The rates (D,) under a penalty, for eigenvalues e (D,) in units of σ².

    None where no closed form is known. Free bits per dimension have one for diagonal networks on data in their own
    axes; others share directions between latents, and end with a loss at or below the formula's.
    """
    match penalty:
        case Plain():
            return fill(e, beta)
        case FreeBits(mode="dimension"):
            return np.maximum(fill(e, beta), float(penalty.epsilon))
        case FreeBits(mode="total"):
            return fill(e, min(beta, level_of_rate(e, float(penalty.epsilon))))
        case Capacity():
            return fill(e, min(beta * float(penalty.gamma), level_of_rate(e, float(penalty.capacity))))
        case Controlled(controller=Adaptive() | ProportionalIntegral() as law):
            return fill(e, reach(law, beta, level_of_rate(e, law.target)))
        case _:
            return None


def reach(law: Adaptive | ProportionalIntegral | Geco, beta: float, level: float) -> float:
    """The level that a controller holds: the weight, τ/β, stays between its bounds."""
    return min(max(level, beta * law.low), beta * law.high)


def optimum(
    eigenvalues: Floats, variance: float, beta: float, latent_dim: int, penalty: Penalty, gamma: float | None = None
) -> Optimum | None:
    """The optimum at a fixed σ² = ``variance``, None where no closed form is known, or no such optimum.

    Args:
        eigenvalues: λ (P,), falling.
        variance: σ², squared pixel units.
        beta: β times the final KL weight, > 0.
        latent_dim: D <= P.
        penalty: what the rate costs.
        gamma: BN-VAE's γ; None for others.
    """
    if eigenvalues[0] <= 0:  # nothing varies: any latent may spend what the penalty asks for
        return None
    e, dropped = eigenvalues[:latent_dim] / variance, float(eigenvalues[latent_dim:].sum() / variance)
    pixels = len(eigenvalues)
    if gamma is not None:
        if not isinstance(penalty, Plain) or beta != 1:
            return None
        rates, left = batch_normalised(e, gamma)
    elif isinstance(penalty, Controlled) and isinstance(law := penalty.controller, Geco):
        error = 2 * law.target - pixels * float(np.log(2 * np.pi * variance)) - dropped
        if error <= 0:  # nothing that D latents can do reaches the target
            return None
        rates, left = spend(e, fill(e, reach(law, beta, level_of_error(e, error))))
    else:
        found = allocate(penalty, e, beta)
        if found is None:
            return None
        rates, left = spend(e, found)
    return Optimum(rates, float(left.sum() + dropped) * variance, variance, pixels)


def learned_variance(eigenvalues: Floats, beta: float, latent_dim: int) -> float | None:
    """σ̂² when it is learnt together with the networks: the root of σ² = E‖x - x̂‖²/P at the level βσ².

    Σ_{i>D} λ_i / (P - Dβ) while all D latents are in use (β = 1: probabilistic PCA). None where σ² goes to 0: nothing
    lies beyond D, and β is too small to leave anything.
    """
    kept, dropped = eigenvalues[:latent_dim], float(eigenvalues[latent_dim:].sum())
    pixels = len(eigenvalues)

    def excess(variance: float) -> float:
        return float(np.minimum(kept, beta * variance).sum()) + dropped - pixels * variance

    least = kept[kept > 0].min(initial=1.0) / beta if dropped <= 0 else 0.0  # below it all kept directions are in use
    if excess(least) <= 0:
        return None
    return float(brentq(excess, least, 2 * float(eigenvalues.sum()) / pixels, xtol=1e-15))
