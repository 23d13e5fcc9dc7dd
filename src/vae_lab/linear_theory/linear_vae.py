"""The linear Gaussian VAE and its optimum. Pure maths on arrays, nats.

Linear encoder and decoder, p(x|z) = N(x̂, σ²I), data with the covariance eigenvalues λ_1 >= λ_2 >= ... In units of σ²
they are e_i = λ_i/σ². P is the number of pixels, D of latents.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import Allocation, allocation, water_filling


@dataclass(frozen=True)
class Optimum:
    """The linear VAE's optimum. ``collapsed`` counts latents without any rate."""

    rates: Floats  # (D,), nats, in the order of falling eigenvalues
    squared_error: float  # E‖x - x̂‖², in squared pixel units
    variance: float  # σ²
    pixels: int  # P
    diagonal_only: bool = False  # exact for diagonal networks only; others end with a loss at or below its

    @property
    def distortion(self) -> float:
        """-E log p(x|z), nats per image."""
        return 0.5 * (self.squared_error / self.variance + self.pixels * float(np.log(2 * np.pi * self.variance)))

    @property
    def collapsed(self) -> int:
        return int((self.rates < 1e-9).sum())


@dataclass(frozen=True)
class LinearVAE:
    """What the optimum depends on beside the objective: the data, σ², β and D.

    Args:
        eigenvalues: λ (P,), falling.
        variance: σ², squared pixel units.
        beta: β times the final KL weight, > 0.
        latent_dim: D <= P.

    Example:
        >>> vae = LinearVAE(np.array([4.0, 2.0, 0.1]), variance=0.5, beta=1.0, latent_dim=2)
        >>> vae.fill(level=vae.beta).rates.round(4)
        array([1.0397, 0.6931])
    """

    eigenvalues: Floats
    variance: float
    beta: float
    latent_dim: int

    @property
    def e(self) -> Floats:
        """λ/σ² of the directions that have a latent, (D,)."""
        return self.eigenvalues[: self.latent_dim] / self.variance

    @property
    def dropped(self) -> float:
        """Σ λ/σ² of the directions that have none."""
        return float(self.eigenvalues[self.latent_dim :].sum() / self.variance)

    @property
    def pixels(self) -> int:
        return len(self.eigenvalues)

    def fill(self, level: float) -> Optimum:
        """The optimum when the rate is spent by water-filling at a level."""
        return self.spend(water_filling(self.e, level).rates)

    def spend(self, rates: Floats, diagonal_only: bool = False) -> Optimum:
        """The optimum when rates (D,) are spent."""
        return self.optimum(allocation(self.e, rates), diagonal_only)

    def optimum(self, spent: Allocation, diagonal_only: bool = False) -> Optimum:
        """The optimum when this is how the directions that have a latent fare."""
        squared_error = (spent.squared_error + self.dropped) * self.variance
        return Optimum(spent.rates, squared_error, self.variance, self.pixels, diagonal_only)


def learned_variance(eigenvalues: Floats, beta: float, latent_dim: int) -> float | None:
    """σ̂² when it is learnt together with the networks, of the plain objective: the root of σ² = E‖x - x̂‖²/P at βσ².

    While all D latents are in use (β = 1: probabilistic PCA) it is

    σ̂² = Σ_{i>D} λ_i / (P - Dβ)

    None where σ² goes to 0: nothing lies beyond D, and β is too small to leave anything.

    Example:
        >>> round(learned_variance(np.array([4.0, 2.0, 0.3, 0.1]), beta=1.0, latent_dim=2), 6)
        0.2
    """
    kept, dropped = eigenvalues[:latent_dim], float(eigenvalues[latent_dim:].sum())
    pixels = len(eigenvalues)

    def excess(variance: float) -> float:
        return float(np.minimum(kept, beta * variance).sum()) + dropped - pixels * variance

    least = kept[kept > 0].min(initial=1.0) / beta if dropped <= 0 else 0.0  # below it all kept directions are in use
    if excess(least) <= 0:
        return None
    return float(brentq(excess, least, 2 * float(eigenvalues.sum()) / pixels, xtol=1e-15))
