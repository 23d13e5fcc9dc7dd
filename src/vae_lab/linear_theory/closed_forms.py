"""Closed forms of the linear VAE's optimum, by the penalty or the model that it minimises. Nats.

``closed_form`` is a registry, as ``torch.distributions.kl`` is one: whoever writes a penalty or a model may register
its form beside it, and has no need to change this file.
"""

from functools import singledispatch

import numpy as np

from vae_lab.elbo.controllers import Controller
from vae_lab.elbo.penalties import CapacityPenalty, ControlledPenalty, FreeBitsPenalty, Penalty, PlainPenalty
from vae_lab.linear_theory.linear_vae import LinearVAE, Optimum
from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import Allocation, level_of_error, level_of_rate, water_filling
from vae_lab.models import BNVAE, VAE


def linear_optimum(objective: Penalty | VAE, vae: LinearVAE) -> Optimum | None:
    """The optimum of a linear VAE under an objective; None where no closed form is known, or no such optimum.

    Args:
        objective: what the rate costs, in a VAE that is otherwise plain; or a model, which knows its own penalty.
        vae: data, σ², β and D.

    Example:
        >>> vae = LinearVAE(np.array([4.0, 2.0, 0.1]), variance=0.5, beta=1.0, latent_dim=2)
        >>> linear_optimum(CapacityPenalty(capacity=1.0), vae).rates.round(4)
        array([0.6733, 0.3267])
    """
    if vae.eigenvalues[0] <= 0:  # nothing varies: any latent may spend what the penalty asks for
        return None
    return closed_form(objective, vae)


@singledispatch
def closed_form(objective: object, vae: LinearVAE) -> Optimum | None:
    """The optimum by the class of ``objective``, on data that vary; None where none is registered.

    Example:
        >>> class Doubled(Penalty):
        ...     def forward(self, rate):
        ...         return 2 * rate.sum(1).mean()
        >>> @closed_form.register
        ... def _(penalty: Doubled, vae: LinearVAE) -> Optimum:
        ...     return vae.fill(level=2 * vae.beta)
        >>> vae = LinearVAE(np.array([4.0, 2.0, 0.1]), variance=0.5, beta=1.0, latent_dim=2)
        >>> linear_optimum(Doubled(), vae).rates.round(4)
        array([0.6931, 0.3466])
    """
    return None


@closed_form.register
def _(model: VAE, vae: LinearVAE) -> Optimum | None:
    return closed_form(model.penalty, vae) if model.plain_elbo else None


@closed_form.register
def _(model: BNVAE, vae: LinearVAE) -> Optimum | None:
    if not model.penalty.plain or vae.beta != 1:
        return None
    return vae.optimum(batch_normalised(vae.e, float(model.gamma)), diagonal_only=True)


@closed_form.register
def _(penalty: PlainPenalty, vae: LinearVAE) -> Optimum:
    return vae.fill(vae.beta)


@closed_form.register
def _(penalty: FreeBitsPenalty, vae: LinearVAE) -> Optimum | None:
    """Per dimension it holds for diagonal networks on data in their own axes; others share directions."""
    epsilon = float(penalty.epsilon)
    if penalty.mode == "dimension":
        return vae.spend(np.maximum(water_filling(vae.e, vae.beta).rates, epsilon), diagonal_only=True)
    if penalty.mode == "total":
        return vae.fill(min(vae.beta, level_of_rate(vae.e, epsilon)))
    return None


@closed_form.register
def _(penalty: CapacityPenalty, vae: LinearVAE) -> Optimum:
    return vae.fill(min(vae.beta * float(penalty.gamma), level_of_rate(vae.e, float(penalty.capacity))))


@closed_form.register
def _(penalty: ControlledPenalty, vae: LinearVAE) -> Optimum | None:
    level = level_of_target(penalty.controller, vae)
    if level is None:
        return None
    low, high = float(penalty.controller.low), float(penalty.controller.high)
    return vae.fill(min(max(level, vae.beta * low), vae.beta * high))  # the weight, τ/β, stays between its bounds


def level_of_target(controller: Controller, vae: LinearVAE) -> float | None:
    """The level at which the target of a controller is met; None where nothing that D latents can do reaches it."""
    target = float(controller.target)
    if controller.measures == "rate":
        return level_of_rate(vae.e, target)
    error = 2 * target - vae.pixels * float(np.log(2 * np.pi * vae.variance)) - vae.dropped
    return level_of_error(vae.e, error) if error > 0 else None


def batch_normalised(e: Floats, gamma: float) -> Allocation:
    """BN-VAE with diagonal networks: the posterior means have the variance γ² in each dimension, used or not.

    The posterior variance s² solves the cubic

    e γ²/(γ² + s²)² + 1 = 1/s²

    for γ² < 1/8 the loss may have two minima, of which the lower counts. The rate is at least γ²/2:

    R = ½ (γ² + s² - 1 - ln s²)
    """
    g = gamma**2
    s = np.array([lowest(value, g) for value in e])
    return Allocation(0.5 * (g + s - 1 - np.log(s)), e * s / (g + s))


def lowest(e: float, g: float) -> float:
    """The s² in (0, 1] of the least loss ½(e s²/(γ² + s²) + s² - ln s²), g = γ²."""
    roots = np.roots([1, 2 * g - 1, g * (g - 2 + e), -(g**2)])
    s = roots.real[(abs(roots.imag) < 1e-6) & (roots.real > 0)].clip(max=1)
    return float(s[np.argmin(e * s / (g + s) + s - np.log(s))])
