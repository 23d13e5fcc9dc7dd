"""The optimum of the linear Gaussian VAE under each penalty, in closed form. Pure maths on arrays, nats.

Linear encoder and decoder, p(x|z) = N(x̂, σ²I), data with the covariance eigenvalues λ_1 >= λ_2 >= ... In units of σ²
they are e_i = λ_i/σ². Spending R_i nats on direction i leaves the squared error e_i exp(-2 R_i) there, and at any price
of the rate the optimum is reverse water-filling: R_i = ½ log⁺(e_i/τ) for the level τ that the price sets (Lucas et al.
2019, section 4, for τ = β). P is the number of pixels, D of latents.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from vae_lab.penalties import Capacity, Controlled, FreeBits, Penalty, Plain
from vae_lab.spectrum import Floats


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
        return int((self.rates == 0).sum())


Spent = tuple[Floats, Floats]  # rates (D,) and what is left of e (D,)


def spend(e: Floats, rates: Floats) -> Spent:
    """Rates (D,) and the squared errors e·exp(-2R) that they leave."""
    return rates, e * np.exp(-2 * rates)


def fill(e: Floats, level: float) -> Floats:
    """R_i = ½ log⁺(e_i/τ), (D,), at the level τ > 0."""
    return 0.5 * np.log(np.maximum(e / level, 1))


def solve_level(excess: Callable[[float], float], e: Floats) -> float:
    """The level τ between 0 and e_1 at which a function that is monotone in log τ crosses zero."""
    low, high = np.log(e[e > 0].min()) - 200.0, float(np.log(e[0]))
    return float(np.exp(brentq(lambda u: excess(float(np.exp(u))), low, high, xtol=1e-14)))


def at_rate(e: Floats, rate: float) -> Floats:
    """The rates (D,) that spend ``rate`` > 0 nats in all where they save most."""
    return fill(e, solve_level(lambda level: float(fill(e, level).sum()) - rate, e))


def at_error(e: Floats, error: float) -> Floats:
    """The rates (D,) of least sum that leave no more than ``error`` > 0 of the squared error Σ e."""
    if error >= e.sum():
        return np.zeros_like(e)
    return fill(e, solve_level(lambda level: float(np.minimum(e, level).sum()) - error, e))


def batch_normalised(e: Floats, gamma: float) -> Spent:
    """BN-VAE with diagonal networks: the posterior means have the variance γ² in each dimension, used or not.

    The posterior variance s² solves e γ²/(γ² + s²)² + 1 = 1/s²; the rate is ½(γ² + s² - 1 - ln s²), at least γ²/2.
    """
    g = gamma**2
    slopes = [lambda s, value=value: value * g / (g + s) ** 2 + 1 - 1 / s for value in e]
    s = np.array([brentq(slope, 1e-12, 1.0, xtol=1e-15) for slope in slopes])
    return 0.5 * (g + s - 1 - np.log(s)), e * s / (g + s)


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
            plain = fill(e, beta)
            return plain if plain.sum() >= float(penalty.epsilon) else at_rate(e, float(penalty.epsilon))
        case Capacity() if float(penalty.capacity) > 0:
            return at_rate(e, float(penalty.capacity))
        case Controlled() if penalty.controller.measures == "rate":
            return at_rate(e, penalty.controller.target)
        case _:
            return None


def optimum(
    eigenvalues: Floats, variance: float, beta: float, latent_dim: int, penalty: Penalty, gamma: float | None = None
) -> Optimum | None:
    """The optimum at a fixed σ² = ``variance``, None where no closed form is known.

    Args:
        eigenvalues: λ (P,), falling.
        variance: σ², squared pixel units.
        beta: β times the final KL weight, > 0.
        latent_dim: D <= P.
        penalty: what the rate costs.
        gamma: BN-VAE's γ; None for others.
    """
    e, dropped = eigenvalues[:latent_dim] / variance, float(eigenvalues[latent_dim:].sum() / variance)
    pixels = len(eigenvalues)
    if gamma is not None:
        if not isinstance(penalty, Plain) or beta != 1:
            return None
        rates, left = batch_normalised(e, gamma)
    elif isinstance(penalty, Controlled) and penalty.controller.measures == "distortion":
        error = 2 * penalty.controller.target - pixels * float(np.log(2 * np.pi * variance)) - dropped
        if error <= 0:  # nothing that D latents can do reaches the target
            return None
        rates, left = spend(e, at_error(e, error))
    else:
        found = allocate(penalty, e, beta)
        if found is None:
            return None
        rates, left = spend(e, found)
    return Optimum(rates, float(left.sum() + dropped) * variance, variance, pixels)


def learned_variance(eigenvalues: Floats, beta: float, latent_dim: int) -> float | None:
    """σ̂² when it is learnt together with the networks: the root of σ² = E‖x - x̂‖²/P at the level βσ².

    Σ_{i>D} λ_i / (P - Dβ) while all D latents are in use (β = 1: probabilistic PCA). None where nothing lies beyond D:
    then σ² may go to 0.
    """
    kept, dropped = eigenvalues[:latent_dim], float(eigenvalues[latent_dim:].sum())
    pixels = len(eigenvalues)

    def excess(variance: float) -> float:
        return float(np.minimum(kept, beta * variance).sum()) + dropped - pixels * variance

    if dropped <= 0:
        return None
    return float(brentq(excess, 0.0, 2 * float(eigenvalues.sum()) / pixels, xtol=1e-15))
