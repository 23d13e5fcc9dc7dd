"""Priors: density and samples against dense linear algebra, rates against their floor."""

import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lab.divergences import ar1_committed_rate
from vae_lab.priors import AR1, StandardNormal, standard_normal_log_prob

FLOAT = torch.float64


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=FLOAT)


def exact(*arguments):
    """A prior in float64 whose two buffers agree beyond the float32 that they were made in."""
    prior = AR1(*arguments).double()
    prior.alpha = (1 - prior.innovation).sqrt()
    return prior


def dense(prior, channels):
    """The AR(1) prior over flat latents as one multivariate Gaussian; steps run slower than channels."""
    lags = (torch.arange(prior.steps)[:, None] - torch.arange(prior.steps)).abs()
    covariance = torch.kron(prior.alpha**lags, torch.eye(channels, dtype=FLOAT))
    return MultivariateNormal(torch.zeros(len(covariance), dtype=FLOAT), covariance)


def test_standard_normal_log_prob_equals_scipy():
    z = 3 * randn(5, 4, seed=0)
    expected = torch.from_numpy(stats.norm.logpdf(z.numpy()))
    torch.testing.assert_close(standard_normal_log_prob(z), expected)
    torch.testing.assert_close(StandardNormal().log_prob(z), expected.sum(1))


def test_standard_normal_samples_are_the_noise():
    noise = randn(5, 4, seed=1)
    assert torch.equal(StandardNormal().sample(noise), noise)


@pytest.mark.parametrize(("steps", "channels"), [(2, 1), (4, 3), (8, 2)])
@pytest.mark.parametrize("delta", [0.05, 1.0, 4.0])
def test_ar1_log_prob_equals_the_dense_gaussian(steps, channels, delta):
    prior = exact(delta, steps * channels, steps)
    z = 2 * randn(3, 6, steps * channels, seed=2)
    torch.testing.assert_close(prior.log_prob(z), dense(prior, channels).log_prob(z), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("steps", "channels"), [(2, 1), (4, 3), (8, 2)])
def test_ar1_rate_equals_the_dense_kl(steps, channels):
    prior = exact(1.0, steps * channels, steps)
    mean, stddev = randn(6, steps * channels, seed=3), (0.5 * randn(6, steps * channels, seed=4)).exp()
    rate = prior.rate(mean, stddev)
    assert rate.shape == mean.shape
    expected = kl_divergence(MultivariateNormal(mean, torch.diag_embed(stddev**2)), dense(prior, channels))
    torch.testing.assert_close(rate.sum(1), expected, rtol=1e-9, atol=1e-9)


def test_ar1_rate_is_the_expected_log_ratio():
    prior = exact(1.5, 8, 4)
    mean, stddev = randn(8, seed=5), (0.5 * randn(8, seed=6)).exp()
    z = mean + stddev * randn(200_000, 8, seed=7)
    samples = torch.distributions.Normal(mean, stddev).log_prob(z).sum(1) - prior.log_prob(z)
    error = samples.std() / len(samples) ** 0.5
    assert (samples.mean() - prior.rate(mean, stddev).sum()).abs() < 4 * error


@pytest.mark.parametrize("delta", [0.3, 2.0, 6.0])
def test_ar1_samples_have_unit_marginals_and_decaying_correlation(delta):
    steps, channels, n = 6, 2, 200_000
    prior = exact(delta, steps * channels, steps)
    z = prior.sample(randn(n, steps * channels, seed=8))
    expected = dense(prior, channels).covariance_matrix
    empirical = z.T @ z / n
    error = ((1 + expected**2) / n).sqrt()  # of a product of standard normals with this correlation
    assert ((empirical - expected).abs() < 4.5 * error).all()
    assert (z.mean(0).abs() < 4.5 / n**0.5).all()


def test_ar1_samples_follow_their_own_density():
    prior = exact(2.0, 12, 6)
    log_density = prior.log_prob(prior.sample(randn(50_000, 12, seed=9)))
    entropy = dense(prior, 2).entropy()  # E log p(z) = -H, Var log p(z) = D/2
    assert (log_density.mean() + entropy).abs() < 4 * (6 / 50_000) ** 0.5
    assert log_density.var().item() == pytest.approx(6, rel=0.05)


@pytest.mark.parametrize(("latent_dim", "steps"), [(2, 2), (8, 8), (16, 4), (30, 5)])
@pytest.mark.parametrize("delta", [1e-3, 0.5, 3.0, 20.0])
def test_ar1_commits_delta_over_all_latents(delta, latent_dim, steps):
    prior = AR1(delta, latent_dim, steps)
    channels = latent_dim // steps
    assert channels * ar1_committed_rate(prior.innovation.item(), steps) == pytest.approx(delta, rel=2e-4)
    assert prior.alpha.item() ** 2 + prior.innovation.item() == pytest.approx(1, abs=2e-7)


@pytest.mark.parametrize("latent_dim", [2, 8, 10, 16, 32, 64])
@pytest.mark.parametrize("delta", [0.1, 0.25, 0.5, 1.0, 1.5, 3.0])
def test_two_steps_have_the_innovation_in_closed_form(delta, latent_dim):
    prior = AR1(delta, latent_dim, 2)
    assert -0.5 * latent_dim / 2 * prior.innovation.log().item() == pytest.approx(delta, rel=1e-4)


@pytest.mark.parametrize(("latent_dim", "steps"), [(2, 2), (16, 4)])
@pytest.mark.parametrize("delta", [0.01, 1.0, 20.0])
def test_no_rate_below_delta(delta, latent_dim, steps):
    prior = AR1(delta, latent_dim, steps).double()
    inner = prior.innovation / (1 + prior.alpha**2)
    best = torch.full((steps,), inner.item(), dtype=FLOAT)
    best[0] = best[-1] = prior.innovation
    best = best.repeat_interleave(latent_dim // steps).sqrt()
    size = torch.logspace(-4, 1, 1000, dtype=FLOAT)[:, None]
    mean = size * randn(1000, latent_dim, seed=10)
    stddev = best * (size * randn(1000, latent_dim, seed=11)).exp()
    assert prior.rate(mean, stddev).sum(1).min() >= delta * (1 - 2e-5)
    assert prior.rate(torch.zeros_like(best), best).sum().item() == pytest.approx(delta, rel=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 8, 2), "delta=0.0: must be a finite number > 0"),
        ((-1.0, 8, 2), "delta=-1.0: must be"),
        ((1.0, 8, 1), "steps=1: must be a whole number >= 2"),
        ((1.0, 9, 2), "steps=2: must divide latent_dim=9"),
        ((200.0, 2, 2), "delta=200.0: too much for 2 steps"),
        ((1000.0, 2, 2), "delta=1000.0: too much for 2 steps"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        AR1(*arguments)
