"""Divergences: each closed form against an independent one, each estimator against the truth it estimates."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, spatial, stats
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_lab.elbo.divergences import (
    ar1_committed_rate,
    imq_kernel,
    kl_ar1,
    kl_standard_normal,
    median_squared_distance,
    mmd,
    rbf_kernel,
    squared_distances,
)
from vae_lab.elbo.priors import solve_innovation

FLOAT = torch.float64
COMMITTED = [(8, 0.5, 0.8133), (8, 0.9, 2.6103), (8, 0.95, 3.0935), (16, 0.9, 4.9837), (32, 0.95, 10.8115)]


def gen(seed):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed):
    return torch.randn(shape, generator=gen(seed), dtype=FLOAT)


def tensor(value):
    return torch.tensor(value, dtype=FLOAT)


def ar1_covariance(alpha, steps):
    return alpha ** (torch.arange(steps)[:, None] - torch.arange(steps)).abs().to(FLOAT)


def ar1_minimiser(alpha, steps):
    """The variances (T,) of the factorised posterior nearest to the process."""
    variance = torch.full((steps,), (1 - alpha**2) / (1 + alpha**2), dtype=FLOAT)
    variance[0] = variance[-1] = 1 - alpha**2
    return variance


# the Gaussian KL


def test_kl_standard_normal_equals_torch_distributions():
    mean, stddev = 3 * randn(50, 7, seed=0), randn(50, 7, seed=1).exp()
    expected = kl_divergence(Normal(mean, stddev), Normal(tensor(0.0), tensor(1.0)))
    torch.testing.assert_close(kl_standard_normal(mean, stddev), expected, rtol=1e-12, atol=1e-12)


def test_kl_standard_normal_equals_monte_carlo():
    mean, stddev = tensor([0.0, 1.0, -2.0, 0.5]), tensor([1.0, 0.3, 2.0, 0.05])
    q = Normal(mean, stddev)
    z = mean + stddev * randn(200_000, 4, seed=2)
    samples = q.log_prob(z) - Normal(torch.zeros(4, dtype=FLOAT), 1.0).log_prob(z)
    error = samples.std(0) / len(samples) ** 0.5
    assert ((samples.mean(0) - kl_standard_normal(mean, stddev)).abs() <= 4 * error + 1e-12).all()


def test_kl_standard_normal_is_zero_only_at_the_prior():
    assert kl_standard_normal(tensor(0.0), tensor(1.0)) == 0
    assert kl_standard_normal(tensor([0.1, -0.1, 0.0, 0.0]), tensor([1.0, 1.0, 0.9, 1.1])).min() > 0


# the KL to an AR(1) process


@pytest.mark.parametrize("steps", [2, 3, 8, 17])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.9, 0.99])
def test_kl_ar1_sums_to_the_dense_gaussian_kl(steps, channels, alpha):
    mean = 2 * randn(4, steps, channels, seed=steps)
    stddev = (0.7 * randn(4, steps, channels, seed=channels + 100)).exp()
    p = MultivariateNormal(torch.zeros(steps, dtype=FLOAT), ar1_covariance(alpha, steps))
    q = MultivariateNormal(mean.transpose(1, 2), torch.diag_embed(stddev.square().transpose(1, 2)))
    terms = kl_ar1(mean, stddev, tensor(alpha), tensor(1 - alpha**2))
    assert terms.shape == mean.shape
    torch.testing.assert_close(terms.sum(1), kl_divergence(q, p), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.1, 0.7, 0.99])
def test_each_term_of_kl_ar1_is_a_divergence(alpha):
    mean, stddev = randn(500, 5, 2, seed=3), (2 * randn(500, 5, 2, seed=4)).exp()
    terms = kl_ar1(mean, stddev, tensor(alpha), tensor(1 - alpha**2))
    assert terms.min() >= 0
    first = kl_divergence(Normal(mean[:, 0], stddev[:, 0]), Normal(tensor(0.0), tensor(1.0)))
    torch.testing.assert_close(terms[:, 0], first)
    # the expectation over z_{t-1} of KL( q(z_t) || N(alpha z_{t-1}, 1 - alpha^2) ), by quadrature over z_{t-1}
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(40))
    before = mean[:, 2, :, None] + stddev[:, 2, :, None] * nodes
    q, p = Normal(mean[:, 3, :, None], stddev[:, 3, :, None]), Normal(alpha * before, (1 - alpha**2) ** 0.5)
    third = (kl_divergence(q, p) * weights).sum(-1) / weights.sum()
    torch.testing.assert_close(terms[:, 3], third, rtol=1e-8, atol=1e-8)


def test_kl_ar1_without_correlation_is_the_standard_normal_kl():
    mean, stddev = randn(6, 4, 3, seed=5), randn(6, 4, 3, seed=6).exp()
    torch.testing.assert_close(kl_ar1(mean, stddev, tensor(0.0), tensor(1.0)), kl_standard_normal(mean, stddev))


@pytest.mark.parametrize(("steps", "alpha", "rate"), COMMITTED)
def test_committed_rate_fixture(steps, alpha, rate):
    assert ar1_committed_rate(1 - alpha**2, steps) == pytest.approx(rate, abs=5e-5)


@pytest.mark.parametrize(("steps", "alpha"), [(2, 0.9), (3, 0.3), *[row[:2] for row in COMMITTED]])
def test_committed_rate_is_the_kl_at_its_minimiser(steps, alpha):
    mean = torch.zeros(steps, 1, dtype=FLOAT)
    log_variance = ar1_minimiser(alpha, steps).log().unsqueeze(1)
    mean.requires_grad_(), log_variance.requires_grad_()
    kl = kl_ar1(mean, (0.5 * log_variance).exp(), tensor(alpha), tensor(1 - alpha**2)).sum()
    assert kl.item() == pytest.approx(ar1_committed_rate(1 - alpha**2, steps), rel=1e-12)
    for gradient in torch.autograd.grad(kl, [mean, log_variance]):
        assert gradient.abs().max() < 1e-12


@pytest.mark.parametrize(("steps", "alpha"), [(2, 0.99), (8, 0.5), (32, 0.95)])
def test_no_posterior_comes_below_the_committed_rate(steps, alpha):
    near = ar1_minimiser(alpha, steps).sqrt()[:, None]  # from tiny to large steps away from the minimiser
    size = torch.logspace(-4, 1, 2000, dtype=FLOAT)[:, None, None]
    mean = size * randn(2000, steps, 1, seed=7)
    stddev = near * (size * randn(2000, steps, 1, seed=8)).exp()
    rate = kl_ar1(mean, stddev, tensor(alpha), tensor(1 - alpha**2)).sum((1, 2))
    assert rate.min() >= ar1_committed_rate(1 - alpha**2, steps) - 1e-12
    assert rate.min() <= ar1_committed_rate(1 - alpha**2, steps) + 1e-4


@pytest.mark.parametrize("steps", [2, 3, 8, 32, 784])
@pytest.mark.parametrize("delta", [1e-8, 1e-3, 0.1, 1.0, 7.0, 30.0])
def test_solve_innovation_inverts_the_committed_rate(delta, steps):
    innovation = solve_innovation(delta, steps)
    assert 0 < innovation < 1
    assert ar1_committed_rate(innovation, steps) == pytest.approx(delta, rel=1e-6 if delta < 1e-6 else 1e-9)


# kernels and the MMD


def loop_mmd(x, y, kernel, bandwidth, estimator):
    """The double sums of Gretton et al. 2012 as they are printed, in plain Python."""

    def k(a, b):
        r2 = sum((u - v) ** 2 for u, v in zip(a, b, strict=True))
        return math.exp(-r2 / (2 * bandwidth)) if kernel == "rbf" else bandwidth / (bandwidth + r2)

    def within(rows):
        pairs = [k(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if estimator == "biased" or i != j]
        return sum(pairs) / len(pairs)

    across = [k(a, b) for a in x for b in y]
    return within(x) + within(y) - 2 * sum(across) / len(across)


def expected_kernel(kernel, bandwidth, shift, variance, d):
    """E k(x, y) of Gaussians whose difference is N(shift * 1, variance * I) in d dimensions."""
    distance = d * shift**2
    if kernel == "rbf":
        width = bandwidth + variance
        return (bandwidth / width) ** (d / 2) * math.exp(-distance / (2 * width))

    def integrand(t):
        c = 1 + 2 * t * variance / bandwidth
        return math.exp(-t - t * distance / (bandwidth * c)) * c ** (-d / 2)

    return integrate.quad(integrand, 0, math.inf, epsabs=1e-12)[0]


def expected_terms(kernel, bandwidth, shift=0.3, variance=0.36, d=8):
    """E_pp, E_qq and E_pq of p = N(0, I) and q = N(shift * 1, variance * I)."""
    return (
        expected_kernel(kernel, bandwidth, 0, 2, d),
        expected_kernel(kernel, bandwidth, 0, 2 * variance, d),
        expected_kernel(kernel, bandwidth, shift, 1 + variance, d),
    )


def two_samples(n, seed, d=8):
    x = randn(n, d, seed=2 * seed + 1000)
    return x, 0.3 + 0.6 * randn(n, d, seed=2 * seed + 1001)


FIXTURE = [("rbf", 8.0, 0.0909957), ("imq", 16.0, 0.0697997)]
TINY_X, TINY_Y = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [3.0, 0.0]]


def test_squared_distances_equal_cdist():
    x, y = randn(9, 4, seed=9), randn(6, 4, seed=10)
    expected = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()
    torch.testing.assert_close(squared_distances(x, y), expected)


def test_kernels_at_known_points():
    r2 = tensor([0.0, 2.0, 8.0])
    assert rbf_kernel(r2, tensor(2.0)).tolist() == pytest.approx([1, math.exp(-0.5), math.exp(-2)])
    assert imq_kernel(r2, tensor(2.0)).tolist() == pytest.approx([1, 0.5, 0.2])


def test_mmd_by_hand():
    # imq with C = 2: within x 1, 2, 5 apart; within y 5; across 2, 9 | 1, 4 | 2, 13
    k = {0: 1, 1: 2 / 3, 2: 1 / 2, 4: 1 / 3, 5: 2 / 7, 9: 2 / 11, 13: 2 / 15}
    pairs_x, pairs_y = k[1] + k[4] + k[5], k[5]
    across = (k[2] + k[9] + k[1] + k[4] + k[2] + k[13]) / 6
    biased = (3 + 2 * pairs_x) / 9 + (2 + 2 * pairs_y) / 4 - 2 * across
    unbiased = 2 * pairs_x / 6 + 2 * pairs_y / 2 - 2 * across
    x, y = tensor(TINY_X), tensor(TINY_Y)
    assert mmd(x, y, "imq", tensor(2.0), "biased").item() == pytest.approx(biased, rel=1e-12)
    assert mmd(x, y, "imq", tensor(2.0), "unbiased").item() == pytest.approx(unbiased, rel=1e-12)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize(("n", "m"), [(3, 2), (5, 5), (4, 9)])
def test_mmd_equals_a_plain_double_loop(kernel, estimator, n, m):
    x, y = randn(n, 3, seed=11), randn(m, 3, seed=12) + 0.5
    expected = loop_mmd(x.tolist(), y.tolist(), kernel, 1.7, estimator)
    assert mmd(x, y, kernel, tensor(1.7), estimator).item() == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_biased_mmd_is_zero_only_for_equal_samples(kernel):
    x = randn(20, 3, seed=13)
    assert mmd(x, x.flip(0), kernel, tensor(3.0), "biased").item() == pytest.approx(0, abs=1e-14)
    assert mmd(x, x + 0.1, kernel, tensor(3.0), "biased") > 1e-5


@pytest.mark.parametrize(("kernel", "bandwidth", "truth"), FIXTURE)
def test_closed_form_of_the_mmd_fixture(kernel, bandwidth, truth):
    pp, qq, pq = expected_terms(kernel, bandwidth)
    assert pp + qq - 2 * pq == pytest.approx(truth, abs=5e-8)


@pytest.mark.parametrize(("kernel", "bandwidth", "truth"), FIXTURE)
def test_large_samples_reach_the_closed_form(kernel, bandwidth, truth):
    estimates = torch.stack([mmd(*two_samples(500, i), kernel, tensor(bandwidth), "unbiased") for i in range(12)])
    error = (estimates.std() / 12**0.5).item()
    assert error < 0.02 * truth
    assert estimates.mean().item() == pytest.approx(truth, abs=4 * error)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_mmd_of_quantile_grids_is_the_closed_form_in_one_dimension(kernel):
    grid = torch.from_numpy(stats.norm.ppf((np.arange(1500) + 0.5) / 1500))[:, None]
    pp, qq, pq = expected_terms(kernel, 2.0, shift=0.5, variance=4.0, d=1)
    estimate = mmd(grid, 0.5 + 2 * grid, kernel, tensor(2.0), "biased")
    assert estimate.item() == pytest.approx(pp + qq - 2 * pq, abs=2e-4)


@pytest.mark.parametrize(("kernel", "bandwidth", "truth"), FIXTURE)
@pytest.mark.parametrize("n", [2, 5, 20])
def test_small_samples_biased_by_the_known_amount_or_not_at_all(kernel, bandwidth, truth, n):
    pp, qq, _ = expected_terms(kernel, bandwidth)
    bias = {"unbiased": 0.0, "biased": (2 - pp - qq) / n}
    for estimator, offset in bias.items():
        samples = [mmd(*two_samples(n, i), kernel, tensor(bandwidth), estimator) for i in range(2000)]
        estimates = torch.stack(samples)
        error = (estimates.std() / len(estimates) ** 0.5).item()
        assert error < 0.1 * bias["biased"]
        assert estimates.mean().item() == pytest.approx(truth + offset, abs=4 * error)


@pytest.mark.parametrize(("kernel", "bandwidth", "truth"), FIXTURE)
def test_biased_minus_unbiased_is_the_diagonal_s_share(kernel, bandwidth, truth):
    """V - U = (2 - Ê_pp - Ê_qq) / n with the U-statistics Ê: exactly, on any pair of samples."""
    x, y = two_samples(10, 0)
    biased, unbiased = (mmd(x, y, kernel, tensor(bandwidth), estimator) for estimator in ("biased", "unbiased"))
    apart = {"rbf": rbf_kernel, "imq": imq_kernel}[kernel]
    off_diagonal = ~torch.eye(10, dtype=torch.bool)
    means = [apart(squared_distances(part, part), tensor(bandwidth))[off_diagonal].mean() for part in (x, y)]
    assert (biased - unbiased).item() == pytest.approx((2 - sum(means)).item() / 10, rel=1e-12)


# several bandwidths

SCALES = [0.1, 0.2, 0.5, 1, 2, 5, 10]  # of Tolstikhin et al. 2018


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_mmd_of_several_bandwidths_is_the_mean_of_the_single_ones(kernel, estimator):
    x, y = randn(6, 3, seed=14), randn(4, 3, seed=15) - 0.5
    bandwidths = 3 * tensor(SCALES)
    singles = [mmd(x, y, kernel, bandwidth, estimator).item() for bandwidth in bandwidths]
    assert len(set(singles)) == len(SCALES)
    assert mmd(x, y, kernel, bandwidths, estimator).item() == pytest.approx(sum(singles) / len(SCALES), rel=1e-12)
    assert torch.equal(mmd(x, y, kernel, bandwidths[:1], estimator), mmd(x, y, kernel, bandwidths[0], estimator))
    assert mmd(x, y, kernel, bandwidths, estimator).shape == ()


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_far_samples_keep_the_kernel_s_one_however_many_scales(kernel):
    """Points far apart are alike to themselves only: V = 1/n + 1/m, which a sum over scales would multiply."""
    x = 1e6 * torch.arange(5, dtype=FLOAT)[:, None]
    assert mmd(x, -1e6 - x, kernel, tensor(SCALES), "biased").item() == pytest.approx(0.4, abs=1e-9)


@pytest.mark.parametrize(("kernel", "bandwidth"), [row[:2] for row in FIXTURE])
def test_several_scales_reach_the_mean_of_their_closed_forms(kernel, bandwidth):
    """The unbiased statistic of 500 samples each, over 12 repetitions, within 4 standard errors of at most 3%."""
    terms = [expected_terms(kernel, bandwidth * scale) for scale in SCALES]
    truth = sum(pp + qq - 2 * pq for pp, qq, pq in terms) / len(SCALES)
    bandwidths = bandwidth * tensor(SCALES)
    estimates = torch.stack([mmd(*two_samples(500, i), kernel, bandwidths, "unbiased") for i in range(12)])
    error = (estimates.std() / 12**0.5).item()
    assert error < 0.03 * truth
    assert estimates.mean().item() == pytest.approx(truth, abs=4 * error)


# the median bandwidth


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (5, 4), (8, 8), (3, 30)])  # 1, 3, 36, 120 and 528 pairs
def test_median_is_numpy_s_over_the_pairs_of_the_pooled_sample(n, m):
    x, y = randn(n, 3, seed=16), 2 + 3 * randn(m, 3, seed=17)
    expected = np.median(spatial.distance.pdist(torch.cat([x, y]).numpy(), "sqeuclidean"))
    assert median_squared_distance(x, y).item() == pytest.approx(expected, rel=1e-12)
    assert median_squared_distance(y, x).item() == pytest.approx(expected, rel=1e-12)


def test_median_by_hand():
    # squared distances 1, 4, 5 within x; 5 within y; 2, 9, 1, 4, 2, 13 across
    assert median_squared_distance(tensor(TINY_X), tensor(TINY_Y)) == 4
    # 1 within x; 16, 9 across: three zeros of samples with themselves would make it .5 or 1
    assert median_squared_distance(tensor([[0.0], [1.0]]), tensor([[4.0]])) == 9
    # 1, 4, 9, 1, 4, 1: the middle two are 1 and 4
    assert median_squared_distance(tensor([[0.0], [1.0]]), tensor([[2.0], [3.0]])) == 2.5


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_median_bandwidth_makes_the_mmd_blind_to_units(kernel):
    x, y = randn(20, 3, seed=18), 1 + randn(20, 3, seed=19)
    one, other = (mmd(a, b, kernel, median_squared_distance(a, b), "biased") for a, b in ((x, y), (1e3 * x, 1e3 * y)))
    assert one.item() == pytest.approx(other.item(), rel=1e-10)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_no_gradient_flows_through_the_median(kernel):
    x, y = randn(9, 3, seed=20).requires_grad_(), randn(9, 3, seed=21).requires_grad_()
    median = median_squared_distance(x, y)
    assert not median.requires_grad
    found = torch.autograd.grad(mmd(x, y, kernel, median, "biased"), [x, y])
    fixed = torch.autograd.grad(mmd(x, y, kernel, tensor(median.item()), "biased"), [x, y])
    for one, other in zip(found, fixed, strict=True):
        assert torch.equal(one, other)
        assert one.abs().max() > 0


def test_median_of_a_collapsed_sample_is_not_zero():
    """Equal samples of q are less than a quarter of all pairs, so that the bandwidth stays positive."""
    assert median_squared_distance(torch.zeros(64, 4), randn(64, 4, seed=22).float()) > 0.5


# precision


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize("median", [True, False])
def test_float32_agrees_with_float64(kernel, estimator, median):
    """To 2e-6 at 128 samples in 16 dimensions, where the kernel's values are of order one."""
    x, y = randn(128, 16, seed=23), 0.5 + 0.7 * randn(128, 16, seed=24)

    def value(x, y):
        bandwidth = median_squared_distance(x, y) if median else torch.tensor(16.0).to(x)
        return mmd(x, y, kernel, bandwidth * torch.tensor(SCALES).to(x), estimator)

    single = value(x.float(), y.float())
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(value(x, y).item(), abs=2e-6)
