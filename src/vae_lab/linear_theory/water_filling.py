"""Reverse water-filling: how a linear VAE spends its rate on the directions of the data. Pure maths on arrays, nats.

e_1 >= e_2 >= ... are the eigenvalues of the data in units of the likelihood's pixel variance V. Spending R_i nats on
direction i leaves the squared error e_i exp(-2 R_i) there, and at any price of the rate the optimum is

R_i = ½ log⁺(e_i/τ)

for the level τ that the price sets (Lucas et al. 2019, section 4, for τ = β).
"""

from dataclasses import dataclass

import numpy as np

from vae_lab.linear_theory.spectrum import Floats

LOWEST = -700.0  # log τ, which exp still tells from 0


@dataclass(frozen=True)
class Allocation:
    """What each of D latents spends, and what it leaves. Squared errors are per image, in units of V."""

    rates: Floats  # (D,), nats, in the order of falling eigenvalues
    errors: Floats  # (D,), the squared errors that these rates leave
    dropped: float = 0.0  # the squared error in directions without a latent

    @property
    def rate(self) -> float:
        """Nats per image."""
        return float(self.rates.sum())

    @property
    def used(self) -> int:
        """How many latents carry anything."""
        return int((self.rates > 0).sum())

    @property
    def squared_error(self) -> float:
        """E‖x - x̂‖² in units of V."""
        return float(self.errors.sum() + self.dropped)


def allocation(eigenvalues: Floats, rates: Floats) -> Allocation:
    """What the rates (D,) leave of the eigenvalues (P,)."""
    latent_dim = len(rates)
    kept = np.pad(eigenvalues[:latent_dim], (0, max(latent_dim - len(eigenvalues), 0)))
    return Allocation(rates, kept * np.exp(-2 * rates), float(eigenvalues[latent_dim:].sum()))


def water_filling(eigenvalues: Floats, level: float, latent_dim: int | None = None) -> Allocation:
    """Spend at the level τ > 0 on the first D = ``latent_dim`` of the eigenvalues (P,), on all of them when None.

    R_i = ½ log⁺(e_i/τ)

    At τ = β it is the optimum of a linear Gaussian VAE.

    Example:
        >>> filled = water_filling(np.array([4.0, 2.0, 0.5]), level=1.0, latent_dim=2)
        >>> filled.rates.round(4)
        array([0.6931, 0.3466])
        >>> filled.used, round(filled.squared_error, 4)
        (2, 2.5)
    """
    rates = np.zeros(len(eigenvalues) if latent_dim is None else latent_dim)
    kept = eigenvalues[: len(rates)]
    rates[: len(kept)] = 0.5 * np.log(np.maximum(kept / level, 1))
    return allocation(eigenvalues, rates)


def level_of_rate(e: Floats, rate: float) -> float:
    """The level τ at which Σ R_i is ``rate``: the highest of those that the first k directions would have alone.

    Example:
        >>> e = np.array([4.0, 2.0, 0.5])
        >>> round(water_filling(e, level_of_rate(e, 1.5)).rate, 6)
        1.5
    """
    logs = np.log(e[e > 0])
    levels = (np.cumsum(logs) - 2 * rate) / np.arange(1, len(logs) + 1)
    return float(np.exp(max(levels.max(), LOWEST)))


def level_of_error(e: Floats, error: float) -> float:
    """The level τ at which ``error`` > 0 of Σ e is left, Σ min(e_i, τ), found likewise; above e_1 for error > Σ e.

    Example:
        >>> e = np.array([4.0, 2.0, 0.5])
        >>> round(water_filling(e, level_of_error(e, 3.0)).squared_error, 6)
        3.0
    """
    left = np.append(np.cumsum(e[:0:-1])[::-1], 0.0)  # what the directions beyond the first k leave
    return float(((error - left) / np.arange(1, len(e) + 1)).max())
