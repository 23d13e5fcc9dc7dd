"""MutualInformation: against the linear Gaussian channel, a naive computation, and its ceiling."""

import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from vae_lab.metrics import MutualInformation, mutual_information


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sampled(mean, stddev, seed=9):
    return mean, stddev, mean + stddev * randn(*mean.shape, seed=seed)


def naive(mean, stddev, z):
    """E log q(z|x) - E log 1/N Σ q(z|x_n), all pairs at once."""
    pairs = Independent(Normal(mean[None], stddev[None]), 1).log_prob(z[:, None])
    own = Independent(Normal(mean, stddev), 1).log_prob(z)
    return (own - pairs.exp().mean(1).log()).mean()


@pytest.mark.parametrize(("n", "d"), [(50, 1), (300, 4)])
@pytest.mark.parametrize("chunk", [7, 100, 1000])
def test_equals_the_naive_double_sum(n, d, chunk):
    q = sampled(randn(n, d, seed=1), (0.5 * randn(n, d, seed=2)).exp())
    assert mutual_information(*q, chunk=chunk).item() == pytest.approx(naive(*q).item(), abs=1e-9)


def test_equals_the_naive_double_sum_far_from_the_origin():
    q = sampled(20 + randn(100, 3, seed=3), (0.3 * randn(100, 3, seed=4)).exp())
    assert mutual_information(*q).item() == pytest.approx(naive(*q).item(), abs=1e-9)


@pytest.mark.parametrize("gains", [[0.5], [2.0, 0.0], [1.0, 0.7, 0.3]])
def test_linear_gaussian_channel(gains):
    """z = a x + ε: ½ Σ ln(1 + a²), within 4 standard errors of the samples and 2% of finite N = 10000."""
    mean = torch.tensor(gains, dtype=torch.float64) * randn(10_000, len(gains), seed=5)
    exact = 0.5 * sum(math.log(1 + a * a) for a in gains)
    q = sampled(mean, torch.ones_like(mean))
    assert mutual_information(*q).item() == pytest.approx(exact, abs=0.02 * exact + 4 * (exact / 10_000) ** 0.5)


def against_exact(mean, stddev, aggregate, exact, squared_correlations):
    """The estimate from N = 10,000 points, its error from the samples and its error from the mixture, each bounded.

    The density log q(z|x) - log q(z) has the variance Σ ρ² over the canonical correlations ρ of x and z. The mixture of
    N posteriors in place of q(z) pulls the estimate down by about (E q(z|x)/q(z) - 1) / 2N = (e^2I - 1) / 2N, twice
    which is allowed.
    """
    q = sampled(mean, stddev)
    density = (Independent(Normal(*q[:2]), 1).log_prob(q[2]) - aggregate.log_prob(q[2])).mean().item()
    error, bias = (sum(squared_correlations) / len(mean)) ** 0.5, math.expm1(2 * exact) / len(mean)
    assert error < 0.02
    assert density == pytest.approx(exact, abs=4 * error)
    estimate = mutual_information(*q).item()
    assert estimate == pytest.approx(density, abs=bias)
    assert estimate == pytest.approx(exact, abs=4 * error + bias)


@pytest.mark.parametrize("tau", [0.3, 0.6])
def test_linear_optimum_holds_half_the_log_of_lambda_over_tau(tau):
    """At the optimum of the linear VAE q(z) is N(0, I), and I = Σ ½ log⁺(λ_i/τ) is the rate."""
    lambdas = torch.tensor([4, 2, 1, 0.5, 0.2], dtype=torch.float64)
    kept = (1 - tau / lambdas).clamp(min=0)
    stddev = torch.where(kept > 0, tau / lambdas, 1.0).sqrt()
    mean = (kept / lambdas).sqrt() * lambdas.sqrt() * randn(10_000, 5, seed=12)
    prior = MultivariateNormal(torch.zeros(5, dtype=torch.float64), torch.eye(5, dtype=torch.float64))
    exact = 0.5 * (lambdas / tau).log().clamp(min=0).sum().item()
    against_exact(mean, stddev.expand_as(mean), prior, exact, kept.tolist())


def test_linear_encoder_off_the_optimum_holds_its_log_determinant():
    """I = ½ log det(I + S⁻¹ W Σ Wᵀ) of μ = W x, x ~ N(0, Σ), with a full W and Σ and a diagonal S."""
    root, weight = randn(4, 4, seed=13), 0.5 * randn(3, 4, seed=14)
    variance = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)
    signal = weight @ root @ root.T @ weight.T
    aggregate = MultivariateNormal(torch.zeros(3, dtype=torch.float64), signal + variance.diag())
    gains = torch.linalg.eigvals(signal / variance[:, None]).real
    exact = 0.5 * torch.logdet(torch.eye(3) + signal / variance[:, None]).item()
    mean = randn(10_000, 4, seed=15) @ root.T @ weight.T
    against_exact(mean, variance.sqrt().expand_as(mean), aggregate, exact, (gains / (1 + gains)).tolist())


def test_noise_level_counts_not_only_the_gain():
    mean = 2 * randn(4000, 1, seed=6)
    q = sampled(mean, torch.full_like(mean, 4.0))
    assert mutual_information(*q).item() == pytest.approx(0.5 * math.log(1 + 0.25), abs=0.02)


@pytest.mark.parametrize("n", [2, 64, 1500])
def test_well_separated_posteriors_reach_the_ceiling_and_never_pass_it(n):
    mean = 30 * torch.arange(n, dtype=torch.float64)[:, None]
    metric = MutualInformation()
    metric.update(torch.arange(n), *sampled(mean, torch.ones_like(mean)), torch.zeros_like(mean))
    figures = metric.compute()
    assert figures["mutual_information"].item() == pytest.approx(math.log(n), abs=1e-7)
    assert figures["mutual_information_ceiling"].item() == pytest.approx(math.log(n), abs=1e-12)


@pytest.mark.parametrize(("mean", "stddev"), [(0.0, 1.0), (3.0, 0.01), (-1.0, 5.0)])
def test_collapsed_posteriors_carry_nothing(mean, stddev):
    mean = torch.full((500, 4), mean, dtype=torch.float64)
    assert mutual_information(*sampled(mean, torch.full_like(mean, stddev))).abs().item() < 1e-9


def test_an_average_over_batches_would_saturate_at_log_b():
    """4000 posteriors that hold about 6 nats; over batches of 64 at most ln 64 = 4.16. Hence the full split."""
    mean = randn(4000, 2, seed=7)
    q = sampled(mean, torch.full_like(mean, 0.05))
    exact = 2 * 0.5 * math.log(1 + 400)
    full = mutual_information(*q).item()
    batches = [mutual_information(*part).item() for part in zip(*(part.split(64) for part in q), strict=True)]
    averaged = sum(batches) / len(batches)
    assert full == pytest.approx(exact, abs=0.25)
    assert averaged < math.log(64) < full - 1


@pytest.mark.parametrize("sizes", [[300], [128, 128, 44], [1] * 300], ids=len)
def test_metric_is_the_function_over_the_whole_split(sizes):
    q = sampled(randn(300, 3, seed=8), torch.full((300, 3), 0.2, dtype=torch.float64))
    metric = MutualInformation()
    rate = randn(300, 3, seed=9).square()
    for part in zip(*(part.split(sizes) for part in (torch.arange(300), *q, rate)), strict=True):
        metric.update(*part)
    figures = metric.compute()
    assert figures["mutual_information"].item() == pytest.approx(mutual_information(*q).item(), abs=1e-12)
    expected = rate.sum(1).mean().item() - mutual_information(*q).item()
    assert figures["prior_gap"].item() == pytest.approx(expected, abs=1e-12)


def test_a_part_of_the_split_has_the_ceiling_of_its_size():
    q = sampled(randn(300, 3, seed=8), torch.full((300, 3), 0.01, dtype=torch.float64))
    metric = MutualInformation(images=50)
    for part in zip(*(part.split(40) for part in (torch.arange(300), *q, q[0].square())), strict=True):
        metric.update(*part)
    figures = metric.compute()
    assert figures["mutual_information_ceiling"].item() == pytest.approx(math.log(50), abs=1e-12)
    assert figures["mutual_information"].item() == pytest.approx(math.log(50), abs=1e-6)


def test_posteriors_far_apart_and_samples_far_from_their_own_lose_no_digits():
    """Log densities from 0 down to -10⁸, and samples that lie nearer to another posterior than to their own."""
    mean = torch.cat([randn(100, 2, seed=1), 1e3 * randn(100, 2, seed=2)])
    stddev = torch.cat([torch.full((100, 2), 1e-2), torch.full((100, 2), 30.0)]).double()
    z = mean + 6 * stddev * randn(200, 2, seed=3)
    pairs = Independent(Normal(mean[None], stddev[None]), 1).log_prob(z[:, None])
    exact = (pairs.diag() - (pairs.logsumexp(1) - math.log(200))).mean().item()
    assert mutual_information(mean, stddev, z).item() == pytest.approx(exact, abs=1e-6)


def test_float32_posteriors_are_summed_in_float64():
    q = sampled(randn(400, 16, seed=10), (0.3 * randn(400, 16, seed=11) - 2).exp())
    assert mutual_information(*q).item() == pytest.approx(mutual_information(*(p.float() for p in q)).item(), abs=1e-4)
    assert mutual_information(*(p.float() for p in q)).dtype == torch.float64


@pytest.mark.parametrize("stddev", [1e-6, 1e-8, 1e-9, 1e-12])
def test_very_narrow_posteriors_reach_the_ceiling(stddev):
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(1000, 4, generator=generator, dtype=torch.float64)
    width = torch.full_like(mean, stddev)
    z = mean + width * torch.randn(1000, 4, generator=generator, dtype=torch.float64)
    assert float(mutual_information(mean, width, z)) == pytest.approx(math.log(1000), abs=1e-3)
