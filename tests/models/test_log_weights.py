"""Importance weights on linear Gaussian models, where log p(x), the ELBO and the gap at K are known.

The fixture is x|z ~ N(z, .25), z ~ N(0, 1) with x = 1 and the prior as proposal; another model has two latents.
"""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.metrics import importance_weighted_nll
from vae_lab.models import VAE, DeltaVAE
from vae_lab.networks import MLPDecoder, MLPEncoder

FLOAT = torch.float64
LOG_P, ELBO = -1.430510, -4.225791  # of x = 1, proposal = prior


class Affine(nn.Module):
    """q(z|x) = N(slope · x, variance)."""

    def __init__(self, slope, variance):
        super().__init__()
        self.slope, self.log_variance = slope, math.log(variance)

    def forward(self, x):
        mean = self.slope * x.flatten(1)
        return mean, torch.full_like(mean, self.log_variance)


class Pixel(nn.Module):
    def forward(self, z):
        return z[:, :, None, None]


def model_of(slope, variance):
    return VAE(encoder=Affine(slope, variance), decoder=Pixel(), likelihood=Gaussian(0.25), latent_dim=1).double()


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=FLOAT)


@pytest.mark.parametrize("k", [1, 2, 10, 100, 1000])
def test_exact_posterior_gives_log_p_in_every_weight(k):
    x = torch.tensor([-2.0, 0.0, 0.3, 1.0], dtype=FLOAT).view(4, 1, 1, 1)
    weights = model_of(0.8, 0.2).log_weights(x, 3 * randn(k, 4, 1, seed=0))
    log_p = Normal(0.0, math.sqrt(1.25)).log_prob(x.flatten())
    assert weights.shape == (k, 4)
    torch.testing.assert_close(weights, log_p.expand(k, 4), rtol=1e-5, atol=1e-5)  # log σ² is held in float32
    assert log_p[3].item() == pytest.approx(LOG_P, abs=5e-7)


@pytest.mark.parametrize("k", [1, 6])
def test_log_weights_equal_torch_distributions_for_a_sequence_prior(k):
    torch.manual_seed(0)
    parts = {"encoder": MLPEncoder((2, 2, 2), 4, [8]), "decoder": MLPDecoder((2, 2, 2), 4, [8])}
    model = DeltaVAE(delta=2.0, steps=4, likelihood=Gaussian(0.1), latent_dim=4, **parts).double()
    x, noise = randn(3, 2, 2, 2, seed=1), randn(k, 3, 4, seed=2)
    weights = model.log_weights(x, noise)
    q = model.encode(x)
    for i in range(k):
        z = q.mean + q.stddev * noise[i]
        expected = model.likelihood.log_prob(model.decoder(z), x) + model.prior.log_prob(z) - q.log_prob(z).sum(1)
        torch.testing.assert_close(weights[i], expected)


def prior_weights(repetitions, k, seed):
    """log-weights (K, repetitions) of x = 1 with the prior as proposal."""
    x = torch.ones(repetitions, 1, 1, 1, dtype=FLOAT)
    return model_of(0.0, 1.0).log_weights(x, randn(k, repetitions, 1, seed=seed))


def test_prior_as_proposal_has_the_elbo_of_the_fixture():
    weights = prior_weights(400_000, 1, seed=3)[0]
    error = (weights.std() / len(weights) ** 0.5).item()
    assert error < 0.01
    assert weights.mean().item() == pytest.approx(ELBO, abs=4 * error)


def test_mean_log_weight_is_minus_rate_and_distortion():
    model, x = model_of(0.5, 0.4), torch.ones(100_000, 1, 1, 1, dtype=FLOAT)
    noise = randn(1, len(x), 1, seed=4)
    weights, terms = model.log_weights(x, noise)[0], model(x, noise).terms
    elbo = -(terms.rate.sum(1) + terms.distortion)
    error = (weights - elbo).std() / len(x) ** 0.5
    assert (weights - elbo).mean().abs() < 4 * error


def test_weights_average_to_p_of_x():
    weights = prior_weights(400_000, 1, seed=5)[0].exp()
    error = (weights.std() / len(weights) ** 0.5).item()
    assert weights.mean().item() == pytest.approx(math.exp(LOG_P), abs=4 * error)


@pytest.mark.parametrize("k", [100, 300])
def test_gap_shrinks_with_one_over_k(k):
    """log p - E IWAE_K = (E[w²]/E[w]² - 1) / 2K + O(1/K²), over 30000 repetitions."""
    second_moment = math.exp(Normal(0.0, math.sqrt(1.125)).log_prob(torch.tensor(1.0))) / (
        2 * math.sqrt(math.pi * 0.25)
    )
    expected = (second_moment / math.exp(2 * LOG_P) - 1) / (2 * k)
    weights = prior_weights(30_000, k, seed=k)
    surplus = (weights - LOG_P).exp().mean(0) - 1  # of expectation 0, and it carries nearly all of the noise
    gap = LOG_P + importance_weighted_nll(weights) + surplus
    error = (gap.std() / len(gap) ** 0.5).item()
    assert error < 0.02 * expected
    assert gap.mean().item() == pytest.approx(expected, abs=4 * error + 4 * expected / k)


# linear models with several latents and pixels


def tensor(value):
    return torch.tensor(value, dtype=FLOAT)


class Linear(nn.Module):
    """With a variance the encoder q(z|x) = N(weight x, diag(variance)), without one the decoder weight z."""

    def __init__(self, weight, variance=None):
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("log_variance", None if variance is None else variance.log())

    def forward(self, x):
        out = x.flatten(1) @ self.weight.T
        return out[:, None, None, :] if self.log_variance is None else (out, self.log_variance.expand_as(out))


class LinearGaussian:
    """x|z ~ N(Wz, .25 I), z ~ N(0, I), and a proposal made from the exact posterior.

    W has orthogonal columns, so that the posterior is diagonal. The proposal's mean is ``slope`` times the posterior's,
    its variance ``spread`` times. ``log_p``, ``elbo`` and ``excess`` = E[w²]/E[w]² - 1 are exact for the image x.
    """

    def __init__(self, w, x, slope, spread):
        likelihood = Gaussian(0.25).double()
        sigma2 = likelihood.log_variance.exp()
        s = 1 / (1 + w.square().sum(0) / sigma2)
        encoder, decoder = Linear(slope * s[:, None] / sigma2 * w.T, spread * s), Linear(w)
        self.model = VAE(encoder=encoder, decoder=decoder, likelihood=likelihood, latent_dim=len(s)).double()
        self.x = x[None, None, None]
        self.evidence = MultivariateNormal(torch.zeros_like(x), w @ w.T + sigma2 * torch.eye(len(x), dtype=FLOAT))
        posterior = MultivariateNormal(s / sigma2 * (w.T @ x), s.diag())
        proposal = MultivariateNormal(slope * posterior.mean, (spread * s).diag())
        self.log_p = self.evidence.log_prob(x).item()
        self.elbo = self.log_p - kl_divergence(proposal, posterior).item()
        # ∫ p(z|x)² / q(z|x) dz with the diagonal precisions a, b and the distance d of the means
        a, b, d = 1 / s, 1 / (spread * s), posterior.mean - proposal.mean
        rest = 2 * a - b
        assert rest.min() > 0  # else the weights have no variance
        log_moment = a.log() - 0.5 * b.log() - 0.5 * rest.log() + 0.5 * d.square() * (b.square() / rest + b)
        self.excess = torch.expm1(log_moment.sum()).item()

    def weights(self, repetitions, k, seed):
        """log-weights (K, repetitions) of x."""
        x = self.x.expand(repetitions, *self.x.shape[1:])
        return self.model.log_weights(x, randn(k, repetitions, self.model.latent_dim, seed=seed))


ORTHOGONAL = tensor([[1.0, 0.3], [0.4, 1.0], [-0.6, 0.5], [0.5, -0.8]])
IMAGE = tensor([1.0, -0.5, 0.8, 0.2])
CASES = {
    "fixture": (torch.ones(1, 1, dtype=FLOAT), torch.ones(1, dtype=FLOAT), 0.0, 5.0),  # 5 x .2: the prior
    "wide": (ORTHOGONAL, IMAGE, 0.7, 2.0),
    "narrow": (ORTHOGONAL, IMAGE, 0.9, 0.7),
}
every_case = pytest.mark.parametrize("case", CASES)
REPETITIONS = 2000


def standard_error(samples):
    return (samples.std() / len(samples) ** 0.5).item()


def bounds_of(case):
    """The model, and IWAE_K (repetitions,) by K, each from the same 1000 weights in blocks of K: paired."""
    linear = LinearGaussian(*CASES[case])
    weights = linear.weights(REPETITIONS, 1000, seed=6)
    blocks = {k: weights.view(-1, k, REPETITIONS) for k in (1, 2, 10, 100, 1000)}
    bounds = {k: -torch.stack([importance_weighted_nll(b) for b in block]).mean(0) for k, block in blocks.items()}
    return linear, bounds, (weights - linear.log_p).exp().mean(0) - 1


def test_columns_are_orthogonal_and_the_fixture_is_the_fixture():
    assert (ORTHOGONAL[:, 0] @ ORTHOGONAL[:, 1]).abs() < 1e-12
    fixture = LinearGaussian(*CASES["fixture"])
    assert (fixture.log_p, fixture.elbo) == pytest.approx((LOG_P, ELBO), abs=1e-6)


@pytest.mark.parametrize("k", [1, 10, 100, 1000])
def test_exact_posterior_gives_the_log_evidence_for_any_k(k):
    linear = LinearGaussian(ORTHOGONAL, IMAGE, 1.0, 1.0)
    x = randn(5, 1, 1, 4, seed=7)
    weights = linear.model.log_weights(x, 3 * randn(k, 5, 2, seed=8))
    log_p = linear.evidence.log_prob(x.flatten(1))
    torch.testing.assert_close(weights, log_p.expand(k, 5), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(importance_weighted_nll(weights), -log_p, rtol=1e-10, atol=1e-10)


@every_case
def test_bounds_are_ordered_in_expectation(case):
    """ELBO <= IWAE_2 <= IWAE_10 <= ... <= log p by more than 4 standard errors of the paired differences."""
    linear, bounds, surplus = bounds_of(case)
    assert bounds[1].mean().item() == pytest.approx(linear.elbo, abs=4 * standard_error(bounds[1]))
    steps = [bounds[high] - bounds[low] for low, high in pairwise(bounds)]
    steps.append(linear.log_p + surplus - bounds[1000])  # the surplus of expectation 0 carries most of the noise
    for step in steps:
        assert step.mean().item() > 4 * standard_error(step)


@every_case
@pytest.mark.parametrize("k", [100, 1000])
def test_gap_is_half_the_excess_over_k(case, k):
    """log p - E IWAE_K = excess / 2K, within 4 standard errors of at most 5% each, and O(1/K²)."""
    linear, bounds, surplus = bounds_of(case)
    expected = linear.excess / (2 * k)
    gap = linear.log_p + surplus - bounds[k]
    assert standard_error(gap) < 0.05 * expected
    tolerance = 4 * standard_error(gap) + 4 * expected / k
    assert gap.mean().item() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("k", [1, 50, 1000])
def test_float32_agrees_with_float64(k):
    """To 1e-5 nats: one pass in float32 through the model, the bound in float64."""
    linear, noise = LinearGaussian(*CASES["wide"]), randn(k, 20, 2, seed=9)
    x = linear.x.expand(20, *linear.x.shape[1:])
    double = importance_weighted_nll(linear.model.log_weights(x, noise))
    single = linear.model.float().log_weights(x.float(), noise.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(importance_weighted_nll(single.double()), double, rtol=0, atol=1e-5)
