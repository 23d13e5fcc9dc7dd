"""Likelihoods: log densities against scipy, summed over the image, and the constant answer that any VAE must beat."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from vae_lab.likelihoods import Bernoulli, Gaussian

SHAPE = (5, 2, 3, 4)


def rand(seed, shape=SHAPE):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def logits(seed, shape=SHAPE):
    return 8 * (rand(seed, shape) - 0.5)


def test_bernoulli_equals_scipy_on_binary_images():
    params, x = logits(0), rand(1).round()
    expected = stats.bernoulli.logpmf(x.numpy(), special.expit(params.numpy())).sum((1, 2, 3))
    np.testing.assert_allclose(Bernoulli().log_prob(params, x), expected, rtol=1e-10)


def test_bernoulli_scores_grey_values_as_cross_entropy():
    params, x = logits(2), rand(3)
    p = special.expit(params.numpy())
    expected = (special.xlogy(x.numpy(), p) + special.xlogy(1 - x.numpy(), 1 - p)).sum((1, 2, 3))
    np.testing.assert_allclose(Bernoulli().log_prob(params, x), expected, rtol=1e-10)


def test_bernoulli_is_finite_at_extreme_logits():
    params = torch.tensor([200.0, -200.0]).view(2, 1, 1, 1)
    assert Bernoulli().log_prob(params, torch.ones(2, 1, 1, 1)).tolist() == pytest.approx([0, -200])


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("variance", [0.01, 0.05, 1.0, 3.0])
def test_gaussian_equals_scipy(variance, learned):
    params, x = logits(4), rand(5)
    expected = stats.norm.logpdf(x.numpy(), params.numpy(), math.sqrt(variance)).sum((1, 2, 3))
    log_prob = Gaussian(variance, learned).double().log_prob(params, x).detach()
    np.testing.assert_allclose(log_prob, expected, rtol=1e-6)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian()])
def test_log_prob_adds_up_over_pixels_and_channels(likelihood):
    params, x = logits(6), rand(7)
    pixels = [
        likelihood.log_prob(params[:, c : c + 1, h : h + 1], x[:, c : c + 1, h : h + 1])
        for c in range(2)
        for h in range(3)
    ]
    torch.testing.assert_close(likelihood.log_prob(params, x), torch.stack(pixels).sum(0))


def test_gaussian_log_prob_integrates_to_one():
    x = torch.linspace(-4, 5, 20_001, dtype=torch.float64)
    params = torch.full((len(x), 1, 1, 1), 0.4, dtype=torch.float64)
    density = Gaussian(0.3).log_prob(params, x.view(-1, 1, 1, 1)).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-6)  # log σ² is held in float32


def test_means_are_images():
    params = logits(8)
    torch.testing.assert_close(Bernoulli()(params).mean, params.sigmoid())
    torch.testing.assert_close(Gaussian()(params).mean, params)


def test_event_is_one_image():
    for likelihood in (Bernoulli(), Gaussian()):
        distribution = likelihood(logits(9))
        assert (distribution.batch_shape, distribution.event_shape) == ((5,), (2, 3, 4))


def test_variance_is_a_parameter_exactly_when_learned():
    fixed, learned = Gaussian(0.2), Gaussian(0.2, learned=True)
    assert (list(dict(fixed.named_parameters())), list(dict(fixed.named_buffers()))) == ([], ["log_variance"])
    assert (list(dict(learned.named_parameters())), list(dict(learned.named_buffers()))) == (["log_variance"], [])


def test_learned_variance_is_driven_to_the_mean_squared_error():
    params, x = logits(10), rand(11)
    mse = (params - x).square().mean().item()
    likelihood = Gaussian(mse, learned=True)
    gradient = torch.autograd.grad(likelihood.log_prob(params, x).sum(), likelihood.log_variance)[0]
    assert gradient.abs().item() < 1e-3
    likelihood = Gaussian(2 * mse, learned=True)
    gradient = torch.autograd.grad(likelihood.log_prob(params, x).mean(), likelihood.log_variance)[0]
    assert gradient.item() == pytest.approx(-24 / 4, rel=1e-5)  # d/2 (mse/variance - 1)


def test_support():
    assert Bernoulli().support == (0.0, 1.0)
    assert Gaussian().support is None


# the constant decoder


def test_constant_gaussian_is_the_density_around_the_mean():
    x, mean = rand(12), rand(13, SHAPE[1:])
    for likelihood, variance in ((Gaussian(0.07), 0.07), (Gaussian(0.07, learned=True), 0.4)):
        expected = -stats.norm.logpdf(x.numpy(), mean.numpy(), math.sqrt(variance)).sum((1, 2, 3))
        actual = likelihood.constant_distortion(x, mean, 0.4).detach()
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_constant_gaussian_with_the_best_variance_is_its_entropy():
    x = rand(14, (4000, 1, 2, 2))
    mean = x.mean(0)
    mse = (x - mean).square().mean().item()
    best = Gaussian(1.0, learned=True).constant_distortion(x, mean, mse).mean().item()
    assert best == pytest.approx(0.5 * 4 * (math.log(2 * math.pi * mse) + 1), rel=1e-6)
    for other in (0.8 * mse, 1.2 * mse):
        assert best < Gaussian(1.0, learned=True).constant_distortion(x, mean, other).mean().item()


def test_constant_gaussian_survives_constant_pixels():
    x = torch.zeros(3, 1, 2, 2)
    assert Gaussian(learned=True).constant_distortion(x, x[0], 0.0).isfinite().all()


def test_constant_bernoulli_is_the_cross_entropy_with_the_mean():
    x, mean = rand(15).round(), rand(16, SHAPE[1:])
    expected = -stats.bernoulli.logpmf(x.numpy(), mean.numpy()).sum((1, 2, 3))
    np.testing.assert_allclose(Bernoulli().constant_distortion(x, mean, 0.1), expected, rtol=1e-9)


def test_constant_bernoulli_survives_pixels_that_are_always_black():
    x = torch.zeros(3, 1, 2, 2)
    distortion = Bernoulli().constant_distortion(x, x[0], 0.0)
    assert (distortion < 4 * 1.1e-4).all()
    assert (distortion >= 0).all()


@pytest.mark.parametrize("variance", [0, -1.0, math.inf, math.nan])
def test_bad_variance_is_refused_by_name(variance):
    with pytest.raises(ValueError, match=f"^variance={variance}: must be a finite number > 0"):
        Gaussian(variance)
