"""Importance weights on x|z ~ N(z, .25), z ~ N(0, 1), where log p(x), the ELBO and the gap at K are known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from vae_lab.likelihoods import Gaussian
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
    return VAE(encoder=Affine(slope, variance), decoder=Pixel(), likelihood=Gaussian(0.25), latent_dim=1)


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=FLOAT)


@pytest.mark.parametrize("k", [1, 2, 50])
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
    weights, terms = model.log_weights(x, noise)[0], model(x, noise)
    elbo = -(terms.rate.sum(1) + terms.distortion)
    error = (weights - elbo).std() / len(x) ** 0.5
    assert (weights - elbo).mean().abs() < 4 * error


def test_weights_average_to_p_of_x():
    weights = prior_weights(400_000, 1, seed=5)[0].exp()
    error = (weights.std() / len(weights) ** 0.5).item()
    assert weights.mean().item() == pytest.approx(math.exp(LOG_P), abs=4 * error)


def test_bound_tightens_with_k():
    """In expectation over 40000 repetitions: ELBO <= IWAE_2 <= IWAE_10 <= IWAE_50 <= log p."""
    bounds = [-importance_weighted_nll(prior_weights(40_000, k, seed=k)) for k in (1, 2, 10, 50)]
    means = [bound.mean().item() for bound in bounds]
    errors = [(bound.std() / len(bound) ** 0.5).item() for bound in bounds]
    assert means[0] == pytest.approx(ELBO, abs=4 * errors[0])
    for (low, low_error), (high, high_error) in zip(
        zip(means, errors, strict=True), zip([*means[1:], LOG_P], [*errors[1:], 0], strict=True), strict=True
    ):
        assert low + 4 * (low_error + high_error) < high


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
