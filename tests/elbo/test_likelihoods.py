"""Likelihoods: log densities against scipy, summed over the image, and the constant answer that any VAE must beat."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from vae_lab.elbo.distributions import tilt
from vae_lab.elbo.likelihoods import Bernoulli, ContinuousBernoulli, DiscretizedLogistic, Gaussian, Likelihood

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


@pytest.mark.parametrize("fit", ["fixed", "learned"])
@pytest.mark.parametrize("variance", [0.01, 0.05, 1.0, 3.0])
def test_gaussian_equals_scipy(variance, fit):
    params, x = logits(4), rand(5)
    expected = stats.norm.logpdf(x.numpy(), params.numpy(), math.sqrt(variance)).sum((1, 2, 3))
    log_prob = Gaussian(variance, fit).double().log_prob(params, x).detach()
    np.testing.assert_allclose(log_prob, expected, rtol=1e-6)


ALL = [Bernoulli(), ContinuousBernoulli(), Gaussian(), Gaussian(fit="optimal").eval(), DiscretizedLogistic()]
every_likelihood = pytest.mark.parametrize("likelihood", ALL, ids=lambda likelihood: type(likelihood).__name__)


@every_likelihood
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


@every_likelihood
def test_event_is_one_image(likelihood):
    distribution = likelihood(logits(9))
    assert (distribution.batch_shape, distribution.event_shape) == ((5,), (2, 3, 4))
    assert distribution.sample((7,)).shape == (7, *SHAPE)


@every_likelihood
def test_compiled_log_prob_is_the_eager_one(likelihood):
    torch._dynamo.reset()
    params, x = logits(17).float(), rand(18).float()
    compiled = torch.compile(likelihood.log_prob, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(params, x), likelihood.log_prob(params, x))


@every_likelihood
def test_log_prob_in_float32_is_the_one_in_float64(likelihood):
    params, x = logits(19).float(), rand(20).float()
    exact = copy.deepcopy(likelihood).double().log_prob(params.double(), x.double())
    torch.testing.assert_close(likelihood.log_prob(params, x).double(), exact, rtol=1e-5, atol=1e-5)


@every_likelihood
def test_gradients_are_the_finite_differences(likelihood):
    params, x = logits(21, (2, 1, 2, 3)).requires_grad_(), rand(22, (2, 1, 2, 3))
    double = copy.deepcopy(likelihood).double()
    assert torch.autograd.gradcheck(lambda params: double.log_prob(params, x), params)
    for name, parameter in double.named_parameters():
        with torch.no_grad():
            parameter.copy_(-0.7)
        assert torch.autograd.gradcheck(
            lambda value, name=name: torch.func.functional_call(Called(double), {f"0.{name}": value}, (params, x)),
            parameter.detach().clone().requires_grad_(),
        )


class Called(torch.nn.Sequential):
    """Calls ``log_prob`` of the likelihood that it holds."""

    def forward(self, params, x):
        return self[0].log_prob(params, x)


@every_likelihood
def test_uniform_noise_becomes_a_sample(likelihood):
    params = torch.tensor([-3.0, -0.4, 0.0, 0.3, 2.0], dtype=torch.float64).view(1, 5, 1, 1)
    u = rand(23, (200_000, 5, 1, 1))
    sample, distribution = likelihood.quantile(params.expand_as(u), u).detach(), likelihood(params)
    torch.testing.assert_close(sample.mean(0), distribution.mean[0].detach(), rtol=0, atol=5e-3)
    if not likelihood.discrete:
        torch.testing.assert_close(sample.var(0), distribution.variance[0].to(u), rtol=0.02, atol=0)


@every_likelihood
def test_noise_that_is_zero_becomes_a_pixel(likelihood):
    for dtype in (torch.float32, torch.float64):
        params = torch.tensor([-200.0, -30.0, 0.0, 30.0, 200.0], dtype=dtype).view(1, 5, 1, 1)
        low, high = (0, torch.finfo(dtype).max) if likelihood.support is None else likelihood.support
        for u in (0.0, 1 - torch.finfo(dtype).eps / 2):
            pixels = likelihood.quantile(params, torch.full_like(params, u))
            assert pixels.dtype == dtype
            assert pixels.isfinite().all()
            assert likelihood.support is None or ((pixels >= low) & (pixels <= high)).all()


def test_quantiles_invert_the_cdf():
    params, u = logits(24), rand(25)
    expected = stats.norm.ppf(u.numpy(), params.numpy(), math.sqrt(0.3))
    np.testing.assert_allclose(Gaussian(0.3).quantile(params, u), expected, rtol=1e-6)
    assert Bernoulli().quantile(params, u).tolist() == (u < params.sigmoid()).double().tolist()
    for logit in (-30.0, -3.0, -0.51, -0.49, -1e-3, -1e-8, 0.0, 1e-8, 1e-3, 0.49, 0.51, 3.0, 30.0):
        x = ContinuousBernoulli().quantile(torch.full_like(u, logit), u)
        cdf = np.expm1(logit * x.numpy()) / np.expm1(logit) if logit else x
        np.testing.assert_allclose(cdf, u, rtol=0, atol=1e-9)


def test_each_level_is_drawn_as_often_as_its_mass_says():
    likelihood = DiscretizedLogistic(levels=5, scale=0.2, fit="fixed").double()
    u = ((torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000).view(-1, 1, 1, 1)
    for location in (-0.2, 0.0, 0.37, 0.9):
        pixels = likelihood.quantile(torch.full_like(u, location), u).flatten()
        levels = torch.linspace(0, 1, 5, dtype=torch.float64)
        drawn = (pixels[:, None] == levels).double().mean(0)
        assert drawn.sum() == pytest.approx(1)
        masses = likelihood.log_prob(torch.full((5, 1, 1, 1), location, dtype=torch.float64), levels.view(-1, 1, 1, 1))
        torch.testing.assert_close(drawn, masses.exp(), rtol=0, atol=2e-5)


def test_base_takes_any_images_and_knows_no_variance():
    assert Likelihood().check(rand(26)) is None
    assert Likelihood().pixel_variance(rand(27, SHAPE[1:])) is None


def test_a_variance_that_float32_cannot_divide_by_is_refused():
    assert torch.isfinite(Gaussian(1e-30).log_prob(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))).all()
    with pytest.raises(ValueError, match="variance=1e-50: must be a finite number >= 1e-30"):
        Gaussian(1e-50)


def test_pixel_variance():
    mean = rand(28, SHAPE[1:])
    torch.testing.assert_close(Bernoulli().pixel_variance(mean), mean * (1 - mean))
    for fit in ("fixed", "learned", "optimal"):
        variance = Gaussian(0.3, fit).double().pixel_variance(mean)
        torch.testing.assert_close(variance, torch.full_like(mean, 0.3), rtol=1e-6, atol=0)
        assert not variance.requires_grad
    assert DiscretizedLogistic().pixel_variance(mean) is None


def test_variance_is_a_parameter_exactly_when_learned():
    fixed, learned = Gaussian(0.2), Gaussian(0.2, fit="learned")
    assert (list(dict(fixed.named_parameters())), list(dict(fixed.named_buffers()))) == ([], ["log_variance"])
    assert (list(dict(learned.named_parameters())), list(dict(learned.named_buffers()))) == (["log_variance"], [])


def test_learned_variance_is_driven_to_the_mean_squared_error():
    params, x = logits(10), rand(11)
    mse = (params - x).square().mean().item()
    likelihood = Gaussian(mse, fit="learned")
    gradient = torch.autograd.grad(likelihood.log_prob(params, x).sum(), likelihood.log_variance)[0]
    assert gradient.abs().item() < 1e-3
    likelihood = Gaussian(2 * mse, fit="learned")
    gradient = torch.autograd.grad(likelihood.log_prob(params, x).mean(), likelihood.log_variance)[0]
    assert gradient.item() == pytest.approx(-24 / 4, rel=1e-5)  # d/2 (mse/variance - 1)


def test_support_and_kind():
    assert [likelihood.support for likelihood in ALL] == [(0.0, 1.0), (0.0, 1.0), None, None, (0.0, 1.0)]
    assert [likelihood.discrete for likelihood in ALL] == [False, False, False, False, True]
    assert [Gaussian(fit=fit).learned for fit in ("fixed", "learned", "optimal")] == [False, True, True]


# the optimal variance (σ-VAE)


def batch_of(mse, seed, shape=SHAPE, dtype=torch.float64):
    """Decoder output and images (B, C, H, W) whose mean squared error is ``mse``."""
    params, error = logits(seed, shape), logits(seed + 1, shape)
    return params.to(dtype), (params + error * (mse / error.square().mean()).sqrt()).to(dtype)


def clipped(mse):
    """The variance that a batch of this error takes, by the paper's formula."""
    return math.exp(2 * (-6 + math.log1p(math.exp(0.5 * math.log(mse) + 6))))


def test_optimal_variance_is_a_buffer():
    optimal = Gaussian(0.2, "optimal")
    assert (list(dict(optimal.named_parameters())), list(dict(optimal.named_buffers()))) == ([], ["log_variance"])
    assert optimal.log_variance.exp().item() == pytest.approx(0.2)


@pytest.mark.parametrize("mse", [1e-7, 6e-6, 1e-3, 0.1, 3.0])
def test_each_training_batch_has_its_own_variance(mse):
    params, x = batch_of(mse, 30)
    expected = stats.norm.logpdf(x.numpy(), params.numpy(), math.sqrt(clipped(mse))).sum((1, 2, 3))
    np.testing.assert_allclose(Gaussian(5.0, "optimal").double().log_prob(params, x), expected, rtol=1e-9)


def test_optimal_variance_scores_the_batch_at_its_entropy():
    params, x = batch_of(4.0, 32)
    total = Gaussian(fit="optimal").double().log_prob(params, x).mean().item()
    assert total == pytest.approx(-24 / 2 * (math.log(2 * math.pi * 4) + 1), rel=1e-5)
    for variance in (3.9, 4.1):
        assert total > Gaussian(variance).double().log_prob(params, x).mean().item()


def test_optimal_variance_is_softly_clipped_from_below():
    params = rand(34).float()
    likelihood = Gaussian(fit="optimal")
    params.requires_grad_()
    log_prob = likelihood.log_prob(params, params.detach())
    log_prob.sum().backward()
    np.testing.assert_allclose(log_prob.detach(), -24 * (0.5 * math.log(2 * math.pi) - 6), rtol=1e-5)
    assert params.grad.isfinite().all()
    assert likelihood.log_variance.isfinite()
    assert clipped(math.exp(-12)) == pytest.approx(4 * math.exp(-12))


@pytest.mark.parametrize("mse", [1e-6, 6e-6, 1e-4, 0.3])
def test_gradients_pass_through_the_optimal_variance(mse):
    params, x = batch_of(mse, 36, (2, 1, 2, 2))
    likelihood = Gaussian(fit="optimal").double()
    params = params / mse**0.5  # finite differences need errors of order one

    def log_prob(params):
        return likelihood.log_prob(params * mse**0.5, x)

    assert torch.autograd.gradcheck(log_prob, params.requires_grad_())


def test_without_clipping_the_gradient_is_that_of_the_fixed_variance():
    params, x = batch_of(1e8, 38)
    params.requires_grad_()
    optimal = torch.autograd.grad(Gaussian(fit="optimal").double().log_prob(params, x).sum(), params)[0]
    fixed = torch.autograd.grad(Gaussian(1e8).double().log_prob(params, x).sum(), params)[0]
    torch.testing.assert_close(optimal, fixed, rtol=2e-6, atol=0)


def test_running_variance_is_an_average_over_training_batches():
    likelihood = Gaussian(0.05, "optimal").double()
    expected = likelihood.log_variance.exp().item()
    for seed, mse in ((40, 0.3), (42, 2.0), (44, 0.01)):
        likelihood.log_prob(*batch_of(mse, seed))
        expected += 0.1 * (clipped(mse) - expected)
        assert likelihood.log_variance.exp().item() == pytest.approx(expected, rel=1e-9)
    for _ in range(200):
        likelihood.log_prob(*batch_of(0.3, 40))
    assert likelihood.log_variance.exp().item() == pytest.approx(clipped(0.3), rel=1e-6)
    assert likelihood.pixel_variance(rand(46, SHAPE[1:])).unique().item() == pytest.approx(clipped(0.3), rel=1e-6)


def test_evaluation_uses_the_running_variance_and_leaves_it_alone():
    likelihood = Gaussian(0.2, "optimal").eval()
    params, x = batch_of(3.0, 48)
    torch.testing.assert_close(likelihood.log_prob(params, x), Gaussian(0.2).log_prob(params, x))
    torch.testing.assert_close(likelihood.log_prob(params, x)[:2], likelihood.log_prob(params[:2], x[:2]))
    assert likelihood.log_variance.exp().item() == pytest.approx(0.2)
    assert likelihood(params).stddev.unique().item() == pytest.approx(0.2**0.5)


def test_running_variance_is_no_part_of_the_graph():
    likelihood = Gaussian(fit="optimal")
    params, x = batch_of(0.3, 50, dtype=torch.float32)
    storage = likelihood.log_variance.data_ptr()
    for _ in range(2):
        likelihood.log_prob(params.requires_grad_(), x).sum().backward()
        assert not likelihood.log_variance.requires_grad
    assert likelihood.log_variance.data_ptr() == storage


def test_stacked_optimal_variances_are_the_single_ones():
    singles = [Called(Gaussian(variance, "optimal")) for variance in (0.05, 0.5, 5.0)]
    batches = [batch_of(mse, seed, dtype=torch.float32) for seed, mse in ((52, 0.1), (54, 0.7), (56, 2.0))]
    params, x = (torch.stack(part) for part in zip(*batches, strict=True))
    _, buffers = torch.func.stack_module_state(singles)
    base = copy.deepcopy(singles[0]).to("meta")

    def total(params, buffers, x):
        return torch.func.functional_call(base, buffers, (params, x)).sum()

    before = buffers["0.log_variance"].clone()
    stacked = torch.func.vmap(total)(params, buffers, x)
    expected = torch.stack([single(*one).sum() for single, one in zip(singles, batches, strict=True)])
    torch.testing.assert_close(stacked, expected)
    running = torch.stack([single[0].log_variance for single in singles])
    torch.testing.assert_close(buffers["0.log_variance"], running)
    assert (running != before).all()
    gradients = torch.func.vmap(torch.func.grad(total))(params, buffers, x)
    for single, (one, images), gradient in zip(singles, batches, gradients, strict=True):
        one.requires_grad_()
        torch.testing.assert_close(gradient, torch.autograd.grad(single(one, images).sum(), one)[0])


def test_compiled_optimal_variance_is_the_eager_one():
    torch._dynamo.reset()
    eager, compiled = Called(Gaussian(fit="optimal")), Called(Gaussian(fit="optimal"))
    fast = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    for seed, mse in ((58, 0.1), (60, 0.7)):
        params, x = batch_of(mse, seed, dtype=torch.float32)
        torch.testing.assert_close(fast(params, x), eager(params, x))
        torch.testing.assert_close(compiled[0].log_variance, eager[0].log_variance)


# the continuous Bernoulli

LOGITS = [-30.0, -8.0, -1.0, -0.501, -0.499, -0.1, -1e-3, -1e-6, 0.0, 1e-4, 0.01, 0.3, 0.499, 0.501, 2.0, 17.0, 30.0]


def moment(logit, power):
    """∫ x^power exp(logit · x - max(logit, 0)) dx over [0, 1], by quadrature."""
    top = max(logit, 0)
    return integrate.quad(lambda x: x**power * math.exp(logit * x - top), 0, 1, epsabs=0, epsrel=1e-12)[0]


def image(value, dtype=torch.float64):
    return torch.tensor(value, dtype=dtype).view(1, 1, 1, 1)


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_equals_quadrature(logit):
    log_normaliser = math.log(moment(logit, 0)) + max(logit, 0)
    mean, square = (moment(logit, power) / moment(logit, 0) for power in (1, 2))
    for dtype, rtol, atol in ((torch.float64, 1e-10, 1e-12), (torch.float32, 1e-6, 3e-7)):
        params = image(logit, dtype)
        exact = params.double().item() - logit
        for x in (0.0, 0.2, 0.5, 1.0):
            expected = logit * x - log_normaliser + exact * (x - mean)
            assert ContinuousBernoulli().log_prob(params, image(x, dtype)).item() == pytest.approx(
                expected, rel=rtol, abs=atol
            )
        distribution = ContinuousBernoulli()(params)
        assert distribution.mean.item() == pytest.approx(mean, rel=rtol, abs=atol)
        if dtype == torch.float64:
            assert distribution.variance.item() == pytest.approx(square - mean**2, rel=1e-9)


def test_series_of_the_continuous_bernoulli_meets_the_closed_form():
    for sign in (-1, 1):
        series, closed = (ContinuousBernoulli()(image(sign * logit)) for logit in (math.nextafter(0.5, 0), 0.5))
        torch.testing.assert_close(series.variance, closed.variance, rtol=1e-12, atol=0)
        torch.testing.assert_close(series.mean, closed.mean, rtol=1e-14, atol=0)
        torch.testing.assert_close(series.log_prob(image(0.2)), closed.log_prob(image(0.2)), rtol=1e-14, atol=0)


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_integrates_to_one(logit):
    def density(x):
        return ContinuousBernoulli().log_prob(image(logit), image(x)).exp().item()

    assert integrate.quad(density, 0, 1)[0] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_the_continuous_bernoulli_is_the_error_of_its_mean(dtype):
    logit = torch.tensor([-1e4, -100.0, *LOGITS, 100.0, 1e4], dtype=dtype).view(1, 1, 1, -1).requires_grad_()
    for x in (0.0, 0.3, 1.0):
        gradient = torch.autograd.grad(ContinuousBernoulli().log_prob(logit, torch.full_like(logit, x)).sum(), logit)[0]
        expected = x - ContinuousBernoulli()(logit).mean.detach()
        tolerance = 1e-6 if dtype == torch.float32 else 1e-10
        torch.testing.assert_close(gradient, expected, rtol=tolerance, atol=tolerance)
    slope = torch.autograd.grad(ContinuousBernoulli()(logit).mean.sum(), logit)[0]
    torch.testing.assert_close(slope, ContinuousBernoulli()(logit).variance.detach(), rtol=1e-3, atol=1e-5)


def test_continuous_bernoulli_is_what_torch_has_where_torch_is_exact():
    params, x = torch.tensor([-9.0, -2.0, 3.0, 11.0], dtype=torch.float64).view(4, 1, 1, 1), rand(62, (4, 1, 1, 1))
    torchs = torch.distributions.ContinuousBernoulli(logits=params)
    torch.testing.assert_close(ContinuousBernoulli().log_prob(params, x), torchs.log_prob(x).flatten())
    torch.testing.assert_close(ContinuousBernoulli()(params).mean, torchs.mean)
    torch.testing.assert_close(ContinuousBernoulli()(params).variance, torchs.variance)


def test_tilt_inverts_the_mean():
    mean = torch.tensor([[[1e-4, 1e-3, 0.2, 0.49, 0.5, 0.500001, 0.7, 0.999, 1 - 1e-4]]], dtype=torch.float64)
    torch.testing.assert_close(ContinuousBernoulli()(tilt(mean)[None]).mean[0], mean, rtol=1e-10, atol=0)
    assert tilt(torch.tensor([0.0, 1.0])).isfinite().all()
    assert tilt(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([-1e4, 1e4])


def test_pixel_variance_of_the_continuous_bernoulli_belongs_to_its_mean():
    params = torch.tensor([-20.0, -3.0, -0.2, 0.0, 0.4, 9.0], dtype=torch.float64).view(1, 1, 1, -1)
    mean = torch.tensor([moment(p, 1) / moment(p, 0) for p in params.flatten().tolist()]).view(1, 1, -1)
    expected = [moment(p, 2) / moment(p, 0) - (moment(p, 1) / moment(p, 0)) ** 2 for p in params.flatten().tolist()]
    variance = ContinuousBernoulli().pixel_variance(mean)
    assert variance.dtype == torch.float32
    assert variance.flatten().tolist() == pytest.approx(expected, rel=1e-5)
    assert ContinuousBernoulli().pixel_variance(torch.full((1, 1, 1), 0.5)).item() == pytest.approx(1 / 12)


# the discretised logistic


def levels_of(levels, dtype=torch.float64):
    return (torch.arange(levels, dtype=dtype) / (levels - 1)).view(-1, 1, 1, 1)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@pytest.mark.parametrize("scale", [1e-4, 0.01, 0.1, 3.0])
def test_masses_of_the_levels_add_up_to_one(levels, scale):
    likelihood = DiscretizedLogistic(levels, scale).double()
    x = levels_of(levels)
    for location in (-3.0, 0.0, 0.31, 0.5, 1.0, 20.0):
        masses = likelihood.log_prob(torch.full_like(x, location), x).exp()
        assert masses.sum().item() == pytest.approx(1, abs=1e-12)


def test_discretized_logistic_equals_differences_of_scipys_cdf():
    likelihood, x = DiscretizedLogistic(256, 0.07).double(), levels_of(256)
    logistic = stats.logistic(scale=likelihood.log_scale.exp().item())
    for location in (-0.1, 0.0, 0.42, 1.0):
        edges = (np.arange(1, 256) - 0.5) / 255 - location
        expected = np.diff(np.concatenate([[0.0], logistic.cdf(edges), [1.0]]))
        masses = likelihood.log_prob(torch.full_like(x, location), x).exp().detach()
        np.testing.assert_allclose(masses, expected, rtol=1e-9, atol=1e-15)


def test_discretized_logistic_is_finite_far_away():
    for levels, scale in ((2, 0.1), (256, 0.1), (256, 1e-3)):
        likelihood = DiscretizedLogistic(levels, scale)
        x = levels_of(levels, torch.float32)
        for location in (-1000 * scale, 1 + 1000 * scale, -50.0):
            params = torch.full_like(x, location).requires_grad_()
            log_prob = likelihood.log_prob(params, x)
            exact = copy.deepcopy(likelihood).double().log_prob(params.double(), x.double())
            torch.testing.assert_close(log_prob.double(), exact, rtol=1e-5, atol=2e-3)
            assert torch.autograd.grad(log_prob.sum(), (params, likelihood.log_scale))[0].isfinite().all()
            assert torch.autograd.grad(likelihood.log_prob(params, x).sum(), likelihood.log_scale)[0].isfinite()


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_mean_is_within_half_a_level_of_the_mean_level(levels):
    x = levels_of(levels)
    for scale in (1e-3, 0.02, 0.1, 1.0):
        likelihood = DiscretizedLogistic(levels, scale, "fixed").double()
        for location in (-1.0, 0.0, 0.11, 0.5, 0.8, 1.0, 4.0):
            params = torch.full_like(x, location)
            expected = (likelihood.log_prob(params, x).exp() * x.flatten()).sum().item()
            step = 1 / (levels - 1)
            bound = 0.5 * step if scale < step else step**2 / (48 * scale)
            assert likelihood(params).mean[0].item() == pytest.approx(expected, abs=bound + 1e-9)


def test_scale_is_a_parameter_exactly_when_learned():
    fixed, learned = DiscretizedLogistic(fit="fixed"), DiscretizedLogistic()
    assert (list(dict(fixed.named_parameters())), list(dict(fixed.named_buffers()))) == ([], ["log_scale"])
    assert (list(dict(learned.named_parameters())), list(dict(learned.named_buffers()))) == (["log_scale"], [])


def test_images_off_the_grid_are_refused():
    for levels in (2, 17, 256):
        DiscretizedLogistic(levels).check(levels_of(levels, torch.float32))
    DiscretizedLogistic(256).check(levels_of(2))
    DiscretizedLogistic(65536).check(levels_of(65536, torch.float32))
    with pytest.raises(
        ValueError, match=r"^levels=256: needs pixels k/255 .* 88\.24% of them are not, such as 0\.0625;"
    ):
        DiscretizedLogistic(256).check(levels_of(17))
    for x in (-1 / 255, 256 / 255):
        with pytest.raises(ValueError, match=r"^levels=256: .* 100\.00% "):
            DiscretizedLogistic(256).check(torch.full((1, 1, 1, 1), x))


# the constant decoder


def test_constant_gaussian_is_the_density_around_the_mean():
    x, mean = rand(12), rand(13, SHAPE[1:])
    for fit, variance in (("fixed", 0.07), ("learned", 0.4), ("optimal", 0.4)):
        likelihood = Gaussian(0.07, fit)
        expected = -stats.norm.logpdf(x.numpy(), mean.numpy(), math.sqrt(variance)).sum((1, 2, 3))
        actual = likelihood.constant_distortion(x, mean, 0.4).detach()
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_constant_gaussian_with_the_best_variance_is_its_entropy():
    x = rand(14, (4000, 1, 2, 2))
    mean = x.mean(0)
    mse = (x - mean).square().mean().item()
    best = Gaussian(1.0, fit="learned").constant_distortion(x, mean, mse).mean().item()
    assert best == pytest.approx(0.5 * 4 * (math.log(2 * math.pi * mse) + 1), rel=1e-6)
    for other in (0.8 * mse, 1.2 * mse):
        assert best < Gaussian(1.0, fit="learned").constant_distortion(x, mean, other).mean().item()


def test_constant_gaussian_survives_constant_pixels():
    x = torch.zeros(3, 1, 2, 2)
    assert Gaussian(fit="learned").constant_distortion(x, x[0], 0.0).isfinite().all()


def test_constant_bernoulli_is_the_cross_entropy_with_the_mean():
    x, mean = rand(15).round(), rand(16, SHAPE[1:])
    expected = -stats.bernoulli.logpmf(x.numpy(), mean.numpy()).sum((1, 2, 3))
    np.testing.assert_allclose(Bernoulli().constant_distortion(x, mean, 0.1), expected, rtol=1e-9)


def test_constant_continuous_bernoulli_has_the_mean_image():
    x, mean = rand(64), rand(65, SHAPE[1:])
    actual = ContinuousBernoulli().constant_distortion(x, mean, 0.1)
    torch.testing.assert_close(actual, -ContinuousBernoulli().log_prob(tilt(mean).expand_as(x), x))
    samples = rand(66, (4000, 1, 2, 2)).square()
    best = ContinuousBernoulli().constant_distortion(samples, samples.mean(0), 0.1).mean()
    for other in (-0.03, 0.03):
        assert best < ContinuousBernoulli().constant_distortion(samples, samples.mean(0) + other, 0.1).mean()


def test_constant_continuous_bernoulli_survives_pixels_that_are_always_black():
    x = torch.zeros(3, 1, 2, 2)
    distortion = ContinuousBernoulli().constant_distortion(x, x[0], 0.0)
    np.testing.assert_allclose(distortion, -4 * math.log(1e4), rtol=1e-5)


def test_constant_discretized_logistic_has_the_mean_image_and_the_variance():
    x, mean = (255 * rand(67)).round() / 255, rand(68, SHAPE[1:])
    for fit, scale in (("fixed", 0.07), ("learned", 0.4**0.5 / stats.logistic.std())):
        logistic = stats.logistic(mean.numpy(), scale)
        upper = np.where(x == 1, 1, logistic.cdf(x + 0.5 / 255))
        expected = -np.log(upper - np.where(x == 0, 0, logistic.cdf(x - 0.5 / 255))).sum((1, 2, 3))
        actual = DiscretizedLogistic(256, 0.07, fit).double().constant_distortion(x, mean, 0.4)
        np.testing.assert_allclose(actual.detach(), expected, rtol=1e-6)
    black = torch.zeros(3, 1, 2, 2)
    assert DiscretizedLogistic().constant_distortion(black, black[0], 0.0).isfinite().all()


def test_constant_bernoulli_survives_pixels_that_are_always_black():
    x = torch.zeros(3, 1, 2, 2)
    distortion = Bernoulli().constant_distortion(x, x[0], 0.0)
    assert (distortion < 4 * 1.1e-4).all()
    assert (distortion >= 0).all()


@pytest.mark.parametrize("variance", [0, -1.0, math.inf, math.nan])
def test_bad_variance_is_refused_by_name(variance):
    with pytest.raises(ValueError, match=f"^variance={variance}: must be a finite number >= 1e-30"):
        Gaussian(variance)


@pytest.mark.parametrize("fit", ["learnt", True, None])
def test_unknown_fit_is_refused_by_name(fit):
    with pytest.raises(ValueError, match=f"^fit={fit}: must be one of fixed, learned, optimal"):
        Gaussian(fit=fit)
    with pytest.raises(ValueError, match=f"^fit={fit}: must be one of fixed, learned"):
        DiscretizedLogistic(fit=fit)


def test_discretized_logistic_fits_no_optimal_scale():
    with pytest.raises(ValueError, match=r"^fit=optimal: must be one of fixed, learned$"):
        DiscretizedLogistic(fit="optimal")


@pytest.mark.parametrize("levels", [1, 0, 2.0, True])
def test_bad_levels_are_refused_by_name(levels):
    with pytest.raises(ValueError, match=f"^levels={levels}: must be a whole number >= 2"):
        DiscretizedLogistic(levels)


@pytest.mark.parametrize("scale", [0, -1.0, math.inf, math.nan])
def test_bad_scale_is_refused_by_name(scale):
    with pytest.raises(ValueError, match=f"^scale={scale}: must be a finite number > 0"):
        DiscretizedLogistic(scale=scale)


@pytest.mark.parametrize(
    ("likelihood", "variance", "learned"),
    [
        (Bernoulli(), None, False),
        (ContinuousBernoulli(), None, False),
        (DiscretizedLogistic(), None, True),
        (DiscretizedLogistic(fit="fixed"), None, False),
        (Gaussian(0.2), 0.2, False),
        (Gaussian(0.2, fit="learned"), 0.2, True),
        (Gaussian(0.2, fit="optimal"), 0.2, True),
    ],
)
def test_every_likelihood_says_its_variance_and_whether_its_width_is_learned(likelihood, variance, learned):
    assert likelihood.learned is learned
    assert likelihood.variance == (None if variance is None else pytest.approx(variance))


def test_the_variance_is_the_present_one():
    likelihood = Gaussian(0.2, fit="learned")
    likelihood.log_variance.data.fill_(0.0)
    assert likelihood.variance == 1.0


@pytest.mark.parametrize(
    ("likelihood", "binary", "grey"),
    [
        (Bernoulli(), "mass", "cross-entropy"),
        (ContinuousBernoulli(), "density", "density"),
        (Gaussian(), "density", "density"),
        (DiscretizedLogistic(), "mass", "mass"),
    ],
)
def test_what_the_distortion_is_the_logarithm_of(likelihood, binary, grey):
    assert likelihood.scores(rand(0).round()) == binary
    assert likelihood.scores(rand(0)) == grey


@pytest.mark.parametrize("mse", [0.3, 1e-3, 1e-5])
def test_fitted_variance_weighs_a_squared_error_as_the_trained_likelihood_does(mse):
    """1/2σ² is what the distortion rises by per squared error, whatever the clip makes of σ² itself."""
    x = torch.full((1, 1, 4, 4), mse**0.5, dtype=torch.float64)
    gain = torch.ones((), dtype=torch.float64, requires_grad=True)
    likelihood = Gaussian(0.05, fit="optimal").double().train()
    (slope,) = torch.autograd.grad(-likelihood.log_prob(x * (1 - gain), x).sum(), gain)
    assert slope.item() == pytest.approx(2 * 16 * mse / (2 * likelihood.fitted_variance(mse)), rel=1e-9)
    assert Gaussian(0.05, fit="learned").fitted_variance(mse) == mse
    assert Gaussian(0.05).fitted_variance(mse) == pytest.approx(0.05)
    assert Bernoulli().fitted_variance(mse) is None
