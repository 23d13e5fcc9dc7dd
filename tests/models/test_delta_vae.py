"""δ-VAE: the rate is at least δ, in both variants, and exactly δ where nothing is encoded."""

import math

import pytest
import torch
from scipy.optimize import brentq
from torch import nn
from torch.distributions import Normal, kl_divergence

from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.elbo.priors import AR1, Autoregressive
from vae_lab.models import DeltaVAE
from vae_lab.models.delta_vae import variance_bounds
from vae_lab.networks import MLPDecoder, MLPEncoder
from vae_lab.noise import normal
from vae_lab.training.assembly import build_model

FLOAT = torch.float64
IMAGE = (1, 2, 3)
BOUNDS = [(0.15, 0.411113, 1.986247), (0.5, 0.158594, 3.146193)]


class Fixed(nn.Module):
    """An encoder that answers with given location and raw scale, each (B, D)."""

    def __init__(self, location, raw_scale):
        super().__init__()
        self.answer = (location, raw_scale)

    def forward(self, x):
        return self.answer


def make(encoder, latent_dim, **options):
    parts = {"decoder": MLPDecoder(IMAGE, latent_dim, []), "likelihood": Bernoulli(), "latent_dim": latent_dim}
    return DeltaVAE(encoder=encoder, **parts, **options)


def rate(model, n):
    return model.prior.rate(*model.posterior(torch.zeros(n, *IMAGE)))


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=FLOAT)


@pytest.mark.parametrize(("delta", "low", "high"), BOUNDS)
def test_variance_bounds_fixture(delta, low, high):
    assert variance_bounds(delta) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize("delta", [1e-4, 0.01, 0.15, 1.0, 5.0, 100.0])
def test_variance_bounds_are_the_roots_found_by_bisection(delta):
    def excess(s):
        return math.log(s) - s + 2 * delta + 1

    low = brentq(excess, math.exp(-2 * delta - 2), 1, xtol=1e-300, rtol=1e-14)
    high = brentq(excess, 1, 10 * (delta + 2), rtol=1e-14)
    assert variance_bounds(delta) == pytest.approx((low, high), rel=1e-6)


@pytest.mark.parametrize("delta", [0.15, 0.5, 3.0])
def test_a_centred_gaussian_at_either_bound_has_rate_delta(delta):
    for variance in variance_bounds(delta):
        kl = kl_divergence(Normal(0.0, torch.tensor(variance, dtype=FLOAT).sqrt()), Normal(0.0, 1.0))
        assert kl.item() == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize("delta", [0.15, 0.5, 3.0])
@pytest.mark.parametrize("latent_dim", [1, 4, 16])
def test_independent_rate_is_delta_exactly_where_the_location_is_not_positive(delta, latent_dim):
    location, raw_scale = -randn(400, latent_dim, seed=0).abs(), 4 * randn(400, latent_dim, seed=1)
    location[0] = 0
    model = make(Fixed(location, raw_scale), latent_dim, delta=delta, variant="independent").double()
    expected = torch.full_like(location, delta / latent_dim)
    torch.testing.assert_close(rate(model, 400), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("delta", [0.15, 0.5, 3.0])
def test_independent_rate_is_delta_plus_half_the_positive_location(delta):
    location, raw_scale = randn(400, 4, seed=2), 2 * randn(400, 4, seed=3)
    model = make(Fixed(location, raw_scale), 4, delta=delta, variant="independent").double()
    expected = delta / 4 + 0.5 * location.clamp(min=0)
    torch.testing.assert_close(rate(model, 400), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("delta", [0.15, 0.5, 3.0])
def test_independent_stddev_lies_between_the_bounds_and_reaches_them(delta):
    raw_scale = torch.linspace(-40, 40, 201, dtype=FLOAT)[:, None]
    model = make(Fixed(torch.zeros_like(raw_scale), raw_scale), 1, delta=delta, variant="independent").double()
    mean, stddev = model.posterior(torch.zeros(201, *IMAGE))
    low, high = variance_bounds(delta)
    assert (stddev[0].item() ** 2, stddev[-1].item() ** 2) == pytest.approx((low, high), rel=1e-6)
    assert (stddev.diff(dim=0) >= 0).all()
    middle = (low**0.5 + high**0.5) / 2
    assert stddev[100].item() == pytest.approx(middle, rel=1e-6)
    assert mean[100].item() == pytest.approx((2 * delta + 1 + math.log(middle**2) - middle**2) ** 0.5, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_independent_rate_and_gradient_are_finite_at_the_roots(dtype):
    location = torch.zeros(3, 2, dtype=dtype, requires_grad=True)
    raw_scale = torch.tensor([[-80.0], [0.0], [80.0]], dtype=dtype).repeat(1, 2).requires_grad_()
    model = make(Fixed(location, raw_scale), 2, delta=1.0, variant="independent").to(dtype)
    mean, stddev = model.posterior(torch.zeros(3, *IMAGE))
    (mean.sum() + stddev.sum()).backward()
    assert all(part.isfinite().all() for part in (mean, stddev, location.grad, raw_scale.grad))


@pytest.mark.parametrize(
    "options", [{"variant": "ar1", "steps": 2}, {"variant": "ar1", "steps": 8}, {"variant": "independent"}], ids=str
)
@pytest.mark.parametrize("delta", [0.05, 1.3, 8.0])
@pytest.mark.parametrize("seed", range(5))
def test_random_networks_never_have_a_rate_below_delta(options, delta, seed):
    torch.manual_seed(seed)
    encoder = MLPEncoder(IMAGE, 8, [16])
    with torch.no_grad():
        encoder.net[-1].weight.mul_(10.0 ** (seed - 2))
    model = make(encoder, 8, delta=delta, **options)
    x = torch.randn(500, *IMAGE)
    least = model.prior.rate(*model.posterior(x)).sum(1).min().item()
    assert least >= delta * (1 - 1e-5) - 1e-6
    assert model.rate_floor() == pytest.approx(delta)


@pytest.mark.parametrize("steps", [2, 4, 8])
def test_ar1_reaches_delta_by_training_on_the_rate_alone(steps):
    location, log_variance = (torch.zeros(1, 8, dtype=FLOAT, requires_grad=True) for _ in range(2))
    model = make(Fixed(location, log_variance), 8, delta=1.3, variant="ar1", steps=steps).double()
    optimizer = torch.optim.LBFGS([location, log_variance], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = rate(model, 1).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert rate(model, 1).sum().item() == pytest.approx(1.3, rel=1e-5)
    assert location.abs().max() < 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "ar"}, "variant=ar: must be one of ar1, independent"),
        ({"delta": 0.0}, "delta=0.0: must be a finite number > 0"),
        ({"delta": -1.0, "variant": "independent"}, "delta=-1.0: must be"),
        ({"steps": 3}, "steps=3: must divide latent_dim=8"),
        ({"steps": 1}, "steps=1: must be a whole number >= 2"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make(MLPEncoder(IMAGE, 8, []), 8, **options)


# the auxiliary prior

VARIANTS = [{"variant": "ar1", "steps": 4}, {"variant": "independent"}]
each_variant = pytest.mark.parametrize("options", VARIANTS, ids=lambda options: options["variant"])


def trainable(auxiliary_prior, options):
    """A model of 8 latents in float64 whose auxiliary prior has left its start."""
    torch.manual_seed(0)
    model = make(MLPEncoder(IMAGE, 8, [16]), 8, delta=1.3, auxiliary_prior=auxiliary_prior, **options).double()
    if auxiliary_prior:
        with torch.no_grad():
            for i, p in enumerate(model.sampling_prior.parameters()):
                p.add_(0.2 * randn(*p.shape, seed=30 + i))
    return model


def batch(n=16):
    return randn(n, *IMAGE, seed=4).sigmoid(), randn(1, n, 8, seed=5)


@each_variant
def test_auxiliary_prior_leaves_loss_and_gradients_of_the_vae_as_they_are(options):
    terms, gradients = [], []
    for auxiliary_prior in (False, True):
        model = trainable(auxiliary_prior, options)
        terms.append(model(*batch()))
        terms[-1].loss.backward()
        gradients.append([p.grad for part in (model.encoder, model.decoder) for p in part.parameters()])
    without, beside = terms
    assert torch.equal(without.loss, beside.loss)
    assert torch.equal(without.terms.rate, beside.terms.rate)
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert (without.extra, list(beside.extra)) == ({}, ["auxiliary_nll"])


@each_variant
def test_auxiliary_prior_has_the_gradient_of_its_nll(options):
    model = trainable(True, options)
    output = model(*batch())
    output.loss.backward()
    nll = -model.sampling_prior.log_prob(output.terms.z.detach()).mean()
    torch.testing.assert_close(output.extra["auxiliary_nll"], nll)
    parameters = list(model.sampling_prior.parameters())
    for parameter, expected in zip(parameters, torch.autograd.grad(nll, parameters), strict=True):
        torch.testing.assert_close(parameter.grad, expected)
        assert parameter.grad.abs().max() > 0


@each_variant
def test_samples_come_from_the_auxiliary_prior_or_without_one_from_the_prior(options):
    with_one, without = trainable(True, options), trainable(False, options)
    assert isinstance(with_one.sampling_prior, Autoregressive)
    assert not any(isinstance(module, Autoregressive) for module in without.modules())
    draws = normal((9, 8), with_one.kl_weight, seed=3, purpose="sample", index=0)
    assert torch.equal(with_one.sample(9, seed=3), with_one.decode(with_one.sampling_prior.sample(draws)))
    assert torch.equal(without.sample(9, seed=3), without.decode(without.prior.sample(draws)))
    assert not torch.equal(with_one.sample(9, seed=3), without.sample(9, seed=3))


def test_auxiliary_prior_is_there_for_samples_and_nothing_else():
    model = trainable(True, VARIANTS[0])
    x, noise = batch()
    before = (model(x, noise).terms.rate, model.log_weights(x, noise), model.reconstruct(x), model.sample(9))
    with torch.no_grad():
        model.sampling_prior.output.bias.add_(1.0)
    after = (model(x, noise).terms.rate, model.log_weights(x, noise), model.reconstruct(x), model.sample(9))
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, True, False]


def test_auxiliary_prior_learns_the_posteriors_where_the_prior_is_wide():
    """At the minimiser of the rate every posterior has mean 0 and a variance far below the prior's 1."""
    steps, channels, n = 4, 2, 256
    prior = AR1(6.0, steps * channels, steps)
    variance = torch.full((steps,), (prior.innovation / (1 + prior.alpha**2)).item())
    variance[0] = variance[-1] = prior.innovation
    variance = variance.repeat_interleave(channels).double()
    encoder = Fixed(torch.zeros(n, 8, dtype=FLOAT), variance.log().repeat(n, 1))
    torch.manual_seed(0)
    model = make(encoder, 8, delta=6.0, steps=steps).double()
    x = torch.zeros(n, *IMAGE, dtype=FLOAT)
    assert model(x, randn(1, n, 8, seed=6)).terms.rate.sum(1).mean().item() == pytest.approx(6.0, rel=1e-5)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 300)
    for step in range(300):
        optimizer.zero_grad()
        model(x, randn(1, n, 8, seed=100 + step)).loss.backward()
        optimizer.step()
        schedule.step()
    draws = randn(5000, 8, seed=7)
    with torch.no_grad():
        found = model.sampling_prior.sample(draws).var(0)
    assert variance.max() < 0.3
    torch.testing.assert_close(found, variance, rtol=0.15, atol=0.0)
    assert model.prior.sample(draws).var(0).min() > 0.9


@pytest.mark.parametrize("variant", ["ar1", "independent"])
def test_auxiliary_prior_is_drawn_after_the_networks(variant, compose_config):
    chosen = (["model=delta_vae", f"model.variant={variant}"], ["model=delta_vae", "model.auxiliary_prior=false"])
    states = [build_model(compose_config(*overrides), IMAGE)[0].state_dict() for overrides in (["model=vae"], *chosen)]
    for state in states[1:]:
        assert all(torch.equal(state[name], value) for name, value in states[0].items())
    assert sum(name.startswith("sampling_prior.") for name in states[1]) == 7


# what a person is told


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"delta": 1.0, "latent_dim": 4, "steps": 2},  # 1 - α² = e^-1
            "committed rate: at least 1 nat per image over 4 latents (AR(1), 2 steps x 2 channels, alpha = 0.7951)",
        ),
        (
            {"delta": 2.6103, "latent_dim": 8, "steps": 8},
            "committed rate: at least 2.6103 nats per image over 8 latents (AR(1), 8 steps x 1 channels, alpha = 0.9)",
        ),
        (
            {"delta": 0.1, "latent_dim": 4, "steps": 4, "auxiliary_prior": False},
            "committed rate: at least 0.1 nats per image over 4 latents (AR(1), 4 steps x 1 channels, alpha = 0.2595)",
        ),
        (
            {"delta": 2.0, "latent_dim": 4, "variant": "independent"},
            "committed rate: at least 2 nats per image over 4 latents (independent, "
            "standard deviations from 0.398 to 1.77)",
        ),
    ],
)
def test_commitment_is_one_line(options, line):
    assert make(MLPEncoder(IMAGE, options["latent_dim"], []), **options).commitment() == line
