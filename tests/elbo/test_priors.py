"""Priors: density and samples against dense linear algebra, rates against their floor."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lab.elbo.divergences import ar1_committed_rate
from vae_lab.elbo.priors import AR1, Autoregressive, StandardNormal, standard_normal_log_prob

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


@pytest.mark.parametrize(
    ("steps", "alpha", "rate"),
    [(8, 0.5, 0.8133), (8, 0.9, 2.6103), (8, 0.95, 3.0935), (16, 0.9, 4.9837), (32, 0.95, 10.8115)],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_ar1_has_the_alpha_whose_committed_rate_is_delta(steps, alpha, rate, channels):
    assert AR1(rate * channels, steps * channels, steps).alpha.item() == pytest.approx(alpha, abs=5e-5)


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


# the learnt density


def random_density(latent_dim, hidden=16, scale=0.4, seed=12):
    """An autoregressive density with random weights throughout, float64."""
    prior = Autoregressive(latent_dim, hidden).double()
    with torch.no_grad():
        for i, p in enumerate(prior.parameters()):
            p.copy_(scale * randn(*p.shape, seed=seed + i))
    return prior


def fit(prior, draw, steps, lr=0.02):
    """Maximum likelihood by Adam with a rate that falls to 0; ``draw`` gives (n, D) by step."""
    optimizer = torch.optim.Adam(prior.parameters(), lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    for step in range(steps):
        optimizer.zero_grad()
        (-prior.log_prob(draw(step)).mean()).backward()
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("latent_dim", [1, 2, 7, 100])
def test_autoregressive_starts_as_the_standard_normal(latent_dim):
    prior, z = Autoregressive(latent_dim), 3 * randn(5, latent_dim, seed=13).float()
    assert torch.equal(prior.log_prob(z), StandardNormal().log_prob(z))
    assert torch.equal(prior.sample(z), z)


def test_autoregressive_integrates_to_one_in_one_dimension():
    prior = random_density(1)
    z = torch.linspace(-60, 60, 200_001, dtype=FLOAT)[:, None]
    assert (prior.conditionals(z)[0].abs() > 0.01).all()
    assert torch.trapezoid(prior.log_prob(z).exp(), z[:, 0]).item() == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("seed", [12, 20, 28])
def test_autoregressive_integrates_to_one_in_two_dimensions(seed):
    prior = random_density(2, hidden=8, scale=0.3, seed=seed)
    first, second = torch.linspace(-9, 9, 181, dtype=FLOAT), torch.linspace(-40, 40, 2001, dtype=FLOAT)
    density = prior.log_prob(torch.cartesian_prod(first, second)).exp().view(181, 2001)
    inner = torch.trapezoid(density, second)
    assert torch.trapezoid(inner, first).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("latent_dim", "hidden"), [(2, 16), (5, 16), (7, 3), (64, 16)])
def test_conditionals_read_what_comes_before_and_nothing_else(latent_dim, hidden):
    prior = random_density(latent_dim, hidden)
    for mean_or_scale in range(2):
        jacobian = torch.func.jacrev(lambda z, i=mean_or_scale: prior.conditionals(z)[i])(randn(latent_dim, seed=14))
        below = torch.ones(latent_dim, latent_dim, dtype=torch.bool).tril(-1)
        assert (jacobian[~below] == 0).all()
        assert (jacobian[below] != 0).all()


def test_the_hidden_layers_alone_let_everything_before_through():
    prior = random_density(5, 32)
    torch.nn.init.zeros_(prior.direct.weight)
    total = sum(
        torch.func.jacrev(lambda z: torch.stack(prior.conditionals(z)))(z).abs() for z in 3 * randn(50, 5, seed=15)
    )
    assert torch.equal(total[0] > 0, torch.ones(5, 5).tril(-1).bool())
    assert torch.equal(total[1] > 0, torch.ones(5, 5).tril(-1).bool())


@pytest.mark.parametrize("latent_dim", [1, 2, 6])
def test_whitening_the_samples_gives_the_noise_back(latent_dim):
    prior, noise = random_density(latent_dim), randn(50, latent_dim, seed=16)
    z = prior.sample(noise)
    mean, log_scale = prior.conditionals(z)
    torch.testing.assert_close((z - mean) / log_scale.exp(), noise)


def test_autoregressive_samples_have_its_density_by_change_of_variables():
    prior = random_density(4)
    for noise in randn(20, 4, seed=17):
        jacobian = torch.func.jacrev(prior.sample)(noise)
        expected = standard_normal_log_prob(noise).sum() - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(prior.log_prob(prior.sample(noise)), expected)


def test_autoregressive_takes_any_leading_shape():
    prior, z = random_density(3), randn(2, 5, 3, seed=18)
    assert prior.log_prob(z).shape == (2, 5)
    torch.testing.assert_close(prior.log_prob(z)[1, 3], prior.log_prob(z[1, 3]))


def test_trained_on_a_correlated_gaussian_it_reaches_its_entropy():
    torch.manual_seed(0)
    factor = torch.eye(4, dtype=FLOAT) + randn(4, 4, seed=19)
    truth = MultivariateNormal(randn(4, seed=20), factor @ factor.T)
    prior = Autoregressive(4).double()

    def draw(step, n=512):
        return truth.loc + randn(n, 4, seed=1000 + step) @ factor.T

    fit(prior, draw, 400)
    z = draw(-1, 50_000)
    excess = truth.log_prob(z) - prior.log_prob(z)  # E is the KL to the truth: entropy and sampling error cancel
    assert 0 <= excess.mean() < 0.05
    assert -prior.log_prob(z).mean().item() == pytest.approx(truth.entropy().item(), abs=0.05)


def test_trained_on_a_bent_density_it_comes_near_its_entropy():
    """z_2 = z_1² + 0.3 ε: no Gaussian; the entropy is that of z_1 and of ε."""
    torch.manual_seed(0)
    prior = Autoregressive(2).double()

    def draw(step, n=512):
        z = randn(n, 2, seed=1000 + step)
        return torch.stack([z[:, 0], z[:, 0] ** 2 + 0.3 * z[:, 1]], dim=1)

    fit(prior, draw, 600)
    entropy = math.log(2 * math.pi * math.e) + math.log(0.3)
    assert -prior.log_prob(draw(-1, 50_000)).mean().item() == pytest.approx(entropy, abs=0.1)


def test_every_parameter_of_the_learnt_density_learns():
    torch.manual_seed(0)
    prior = Autoregressive(4).double()
    fit(prior, lambda step: randn(64, 4, seed=step) + 1, 2)
    prior.zero_grad()
    prior.log_prob(randn(64, 4, seed=21)).mean().backward()
    assert all(p.grad.abs().max() > 0 for p in prior.parameters())


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_the_learnt_density_stays_finite_in_float32(size):
    prior = random_density(4, scale=2.0).float()
    z = (size * randn(200, 4, seed=22)).float().requires_grad_()
    log_density = prior.log_prob(z)
    log_density.sum().backward()
    assert log_density.isfinite().all()
    assert all(p.grad.isfinite().all() for p in prior.parameters())


def test_the_learnt_density_has_no_rate():
    with pytest.raises(NotImplementedError, match="no closed form"):
        Autoregressive(3).rate(torch.zeros(2, 3), torch.ones(2, 3))


@pytest.mark.parametrize(("name", "value"), [("latent_dim", 0), ("hidden", 0), ("hidden", 1.5)])
def test_bad_widths_of_the_learnt_density_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}={value}: must be a whole number >= 1"):
        Autoregressive(**{"latent_dim": 3} | {name: value})
