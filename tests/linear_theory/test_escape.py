"""How fast the collapsed state is left, against gradient descent on a linear VAE in float64."""

import math

import numpy as np
import pytest
import torch

from vae_lab.data.gaussian import rotation, white
from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.linear_theory.escape import growth_rate, slow_direction
from vae_lab.models import BetaVAE
from vae_lab.networks import LinearDecoder, LinearEncoder

LAMBDAS = np.array([4.0, 2.0, 1.0, 0.5])
VARIANCE = 0.5  # the linear limit is 8
STEP = 0.01
START, LINEAR = 1e-6, 1e-3  # the length of the weights at first, and where the quadratic form still holds


def collapsed(beta, axes):
    """A linear VAE at its collapsed state, but for weights of length ``START`` along the slow direction."""
    networks = {"encoder": LinearEncoder((1, 1, 4), 1), "decoder": LinearDecoder((1, 1, 4), 1)}
    model = BetaVAE(likelihood=Gaussian(VARIANCE), latent_dim=1, beta=beta, **networks).double()
    w, a = slow_direction(LAMBDAS[0], beta, VARIANCE)
    with torch.no_grad():
        model.encoder.weight.copy_(START * w * axes[:, :1].T)
        model.decoder.weight.copy_(START * a * axes[:, :1])
    return model


def steps_to_leave(beta):
    """Steps of gradient descent until the weights have grown from ``START`` to ``LINEAR``."""
    axes = torch.from_numpy(rotation(4))
    x = torch.from_numpy(white(64, 4, "escape") * np.sqrt(LAMBDAS)) @ axes.T
    x = x.repeat(2, 1).view(-1, 1, 1, 4)
    noise = torch.ones(1, len(x), 1, dtype=torch.float64)  # ±1 has the moments that decide
    noise[:, len(x) // 2 :] = -1
    model = collapsed(beta, axes)
    optimizer = torch.optim.SGD(model.parameters(), lr=STEP)
    for step in range(20_000):
        if math.hypot(model.encoder.weight.norm().item(), model.decoder.weight.norm().item()) > LINEAR:
            return step
        optimizer.zero_grad()
        model(x, noise).loss.backward()
        optimizer.step()
    return math.inf


@pytest.mark.parametrize("beta", [1.0, 4.0, 6.0, 7.0])
def test_gradient_descent_leaves_the_collapsed_state_at_the_growth_rate(beta):
    per_step = math.log1p(STEP * growth_rate(LAMBDAS[0], beta, VARIANCE))
    assert steps_to_leave(beta) == pytest.approx(math.log(LINEAR / START) / per_step, abs=2, rel=0.01)


def test_the_growth_rate_falls_to_zero_at_the_limit():
    rates = [growth_rate(LAMBDAS[0], beta, VARIANCE) for beta in np.linspace(0, 10, 21)]
    assert rates == sorted(rates, reverse=True)
    assert growth_rate(LAMBDAS[0], 8.0, VARIANCE) == pytest.approx(0, abs=1e-12)
    assert rates[-1] < 0


@pytest.mark.parametrize("beta", [0.0, 3.0, 9.0])
def test_it_is_the_curvature_of_the_quadratic_form(beta):
    form = np.array([[beta * 4, -4 / VARIANCE], [-4 / VARIANCE, 1 / VARIANCE]])
    vector = np.array(slow_direction(4.0, beta, VARIANCE))
    assert form @ vector == pytest.approx(-growth_rate(4.0, beta, VARIANCE) * vector)


def test_images_divided_by_sigma_have_the_rate_of_unit_variance():
    assert growth_rate(4.0 / VARIANCE, 3.0) == growth_rate(8.0, 3.0, 1.0)
