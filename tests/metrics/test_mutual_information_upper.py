"""The upper bound of the mutual information: above the truth where that is known, and close to it."""

import math

import pytest
import torch

from vae_lab.elbo.priors import StandardNormal
from vae_lab.metrics import MutualInformationUpper, mutual_information, mutual_information_upper

PRIOR = StandardNormal()


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear_model(information, dims, n, seed=0):
    """Posteriors and samples of a linear-Gaussian VAE at its optimum, which tells ``information`` nats about x.

    z_j = m_j + noise with Var m_j + σ_j² = 1 and I = Σ -½ log σ_j², so that q(z) is the prior.
    """
    shares = torch.linspace(1, 2, dims, dtype=torch.float64)
    stddev = (-information * shares / shares.sum()).exp()
    mean = (1 - stddev.square()).sqrt() * randn(n, dims, seed=seed)
    return mean, stddev.expand(n, dims), mean + stddev * randn(n, dims, seed=seed + 1)


def bracket(mean, stddev, z):
    rate = PRIOR.rate(mean, stddev).sum(1)
    upper, error = mutual_information_upper(mean, stddev, z, rate, PRIOR.log_prob)
    return mutual_information(mean, stddev, z).item(), upper.item(), error.item()


@pytest.mark.parametrize("dims", [2, 8])
@pytest.mark.parametrize("information", [0.5, 2.0, 5.0, 10.0, 20.0, 30.0])
def test_both_ends_hold_the_known_information(information, dims):
    lower, upper, error = bracket(*linear_model(information, dims, n=2000))
    assert lower < information + 0.05
    assert upper > information - 3 * error
    assert upper < information + 0.05 + 3 * error
    if information > math.log(2000) + 1:  # where the lower end has met its ceiling
        assert upper - lower > 1


@pytest.mark.parametrize("information", [0.5, 5.0, 30.0])
def test_it_stays_above_off_the_optimum_in_many_dimensions(information):
    """Means that covary and lie off the origin, a prior far from q(z): I = ½ log det(C + S) - ½ log det S."""
    dims, n = 16, 2000
    mean, stddev, _ = linear_model(information, dims, n)
    turn = torch.linalg.qr(randn(dims, dims, seed=7)).Q
    mean = 2 * mean @ turn + 1.5
    spread = turn.T @ torch.diag(4 * (1 - stddev[0].square())) @ turn
    noise = torch.diag(stddev[0].square())
    truth = 0.5 * (torch.logdet(spread + noise) - torch.logdet(noise)).item()
    _, upper, error = bracket(mean, stddev, mean + stddev * randn(n, dims, seed=8))
    assert truth - 3 * error < upper < truth + 0.3 + 3 * error
    assert PRIOR.rate(mean, stddev).sum(1).mean() > truth + 10  # what the rate alone would have said


def test_a_mixture_is_found_where_the_posteriors_form_clusters():
    """Four far clusters in two dimensions: I = log 4. A Gaussian could only say that z is spread widely."""
    n = 2000
    centres = 20 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    mean = centres[torch.arange(n) % 4]
    lower, upper, error = bracket(mean, torch.ones(n, 2), mean + randn(n, 2, seed=1))
    assert lower == pytest.approx(math.log(4), abs=0.01)
    assert math.log(4) - 3 * error < upper < math.log(4) + 0.1


def test_the_bound_is_one_in_expectation():
    """Thirty small samples: their mean lies above the truth, as a density fitted to the same samples' would not."""
    ends = [bracket(*linear_model(3.0, dims=10, n=80, seed=seed)) for seed in range(0, 60, 2)]
    uppers = torch.tensor([upper for _, upper, _ in ends])
    assert uppers.mean() > 3.0 - 2 * uppers.std() / len(uppers) ** 0.5
    assert uppers.mean() < 5.0


def test_the_error_is_that_of_repetitions():
    ends = [bracket(*linear_model(3.0, dims=3, n=400, seed=seed)) for seed in range(0, 80, 2)]
    uppers, errors = (torch.tensor([end[i] for end in ends]) for i in (1, 2))
    assert uppers.std().item() == pytest.approx(errors.mean().item(), rel=0.35)


def test_collapsed_posteriors_bound_to_nothing():
    z = randn(400, 5, seed=2)
    lower, upper, error = bracket(torch.zeros(400, 5), torch.ones(400, 5), z)
    assert (lower, upper, error) == pytest.approx((0, 0, 0), abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 10, 11])
@pytest.mark.parametrize("dims", [1, 30])
def test_few_images_give_a_figure(n, dims):
    _, upper, _ = bracket(*linear_model(2.0, dims, n))
    assert math.isfinite(upper)


def test_constant_means_and_tiny_deviations_give_a_figure():
    for scale in (1e-12, 1e-6, 1e6):
        _, upper, error = bracket(
            torch.full((100, 3), 2.0), torch.full((100, 3), scale), 2 + scale * randn(100, 3, seed=3)
        )
        assert abs(upper) < 0.5 + 4 * error


def test_a_model_that_diverged_has_no_bound():
    mean = torch.full((20, 2), math.nan)
    assert all(math.isnan(figure) for figure in bracket(mean, torch.ones(20, 2), mean)[1:])


@pytest.mark.parametrize("sizes", [[101], [40, 40, 21], [1] * 101], ids=len)
def test_metric_is_the_function_over_the_whole_split(sizes):
    mean, stddev, z = linear_model(2.0, 3, 101)
    rate = PRIOR.rate(mean, stddev)
    metric = MutualInformationUpper(PRIOR.log_prob)
    parts = (torch.arange(101), mean, stddev, z, rate)
    for part in zip(*(tensor.split(sizes) for tensor in parts), strict=True):
        metric.update(*part)
    bound, error = mutual_information_upper(mean, stddev, z, rate.sum(1), PRIOR.log_prob)
    figures = metric.compute()
    assert figures["mutual_information_upper"].item() == pytest.approx(bound.item(), rel=1e-12)
    assert figures["mutual_information_upper_se"].item() == pytest.approx(error.item(), rel=1e-12)
