"""β-TCVAE, DIP-VAE and FactorVAE: their terms on Gaussians whose aggregate posterior is known."""

import copy
import math

import pytest
import torch
from torch import nn

from vae_lab.elbo.decomposition import decomposition
from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.models import DIPVAE, VAE, BetaTCVAE, FactorVAE
from vae_lab.models.dip_vae import aggregate_covariance
from vae_lab.models.factor_vae import permuted
from vae_lab.networks import MLPDecoder, MLPEncoder

D, IMAGE = 2, (1, 3, 2)
SHARED = torch.tensor([[1.0, 0.7], [0.7, 1.5]], dtype=torch.float64)  # covariance of the posterior means
CENTRE = torch.tensor([0.3, -0.2], dtype=torch.float64)
STDDEV = torch.tensor([0.8, 0.6], dtype=torch.float64)


def gaussians(n=3000, seed=0, covariance=SHARED):
    """Posteriors N(m, STDDEV²) with m ~ N(CENTRE, covariance), a sample of each, and Cov[z]."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(2, n, D, generator=generator, dtype=torch.float64)
    mean = CENTRE + draws[0] @ torch.linalg.cholesky(covariance).T
    stddev = STDDEV.expand(n, D)
    return mean + stddev * draws[1], mean, stddev, covariance + STDDEV.square().diag()


def closed_form(total):
    """Mutual information, total correlation and dimension-wise KL where q(z) is N(CENTRE, total)."""
    variance = total.diagonal()
    information = 0.5 * (total.logdet() - 2 * STDDEV.log().sum())
    correlation = 0.5 * (variance.log().sum() - total.logdet())
    by_dimension = 0.5 * (variance + CENTRE.square() - 1 - variance.log()).sum()
    return [information, correlation, by_dimension]


@pytest.mark.parametrize("covariance", [SHARED, torch.eye(D, dtype=torch.float64)], ids=["dependent", "independent"])
def test_parts_of_the_rate_are_those_of_gaussians(covariance):
    """3,000 samples under the mixture of as many posteriors, against the closed forms."""
    z, mean, stddev, total = gaussians(covariance=covariance)
    for found, expected in zip(decomposition(z, mean, stddev), closed_form(total), strict=True):
        assert found.item() == pytest.approx(expected.item(), abs=0.05)


def test_closed_forms_are_those_of_monte_carlo():
    """The oracle itself, from a million draws of q(z)."""
    _, _, _, total = gaussians(10)
    joint = torch.distributions.MultivariateNormal(CENTRE, total)
    z = CENTRE + torch.randn(1_000_000, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) @ (
        torch.linalg.cholesky(total).T
    )
    each = torch.distributions.Normal(CENTRE, total.diagonal().sqrt()).log_prob(z).sum(1)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    entropy = torch.distributions.Normal(torch.zeros(D).double(), STDDEV).entropy().sum()
    ratios = [-joint.log_prob(z) - entropy, joint.log_prob(z) - each, each - prior]
    for samples, expected in zip(ratios, closed_form(total), strict=True):
        assert abs(samples.mean() - expected) < 4 * samples.std() / 1000


def test_the_parts_add_up_to_the_log_ratio_of_the_samples():
    z, mean, stddev, _ = gaussians(50)
    log_ratio = torch.distributions.Normal(mean, stddev).log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z)
    assert sum(decomposition(z, mean, stddev)).item() == pytest.approx(log_ratio.sum(1).mean().item(), rel=1e-12)


def test_one_latent_has_no_total_correlation():
    z, mean, stddev, _ = gaussians(50)
    assert decomposition(z[:, :1], mean[:, :1], stddev[:, :1]).total_correlation.item() == pytest.approx(0, abs=1e-12)


def test_constants_of_the_papers_weights_have_no_gradient():
    """Their minibatch weights divide by N B in place of B: each logarithm is shifted, and no gradient."""
    z, mean, stddev, _ = gaussians(20)
    z.requires_grad_()
    pairs = torch.distributions.Normal(mean, stddev).log_prob(z[:, None])
    n, b = math.log(60_000), math.log(20)
    weighted = (pairs.sum(2).logsumexp(1) - n - b) - (pairs.logsumexp(1) - n - b).sum(1)
    ours = decomposition(z, mean, stddev).total_correlation
    assert weighted.mean().item() - ours.item() == pytest.approx((D - 1) * n, rel=1e-9)
    torch.testing.assert_close(
        *(torch.autograd.grad(part, z, retain_graph=True)[0] for part in (weighted.mean(), ours))
    )


def parts(seed=0):
    torch.manual_seed(seed)
    networks = {"encoder": MLPEncoder(IMAGE, D, [8]), "decoder": MLPDecoder(IMAGE, D, [8])}
    return {**networks, "likelihood": Bernoulli(), "latent_dim": D}


def batch(streams=1, n=12):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, *IMAGE, generator=generator), torch.randn(streams, n, D, generator=generator)


def test_beta_tcvae_is_the_vae_with_its_total_correlation():
    x, noise = batch()
    plain, one = VAE(**parts())(x, noise), BetaTCVAE(beta=1.0, **parts())(x, noise)
    torch.testing.assert_close(one.loss, plain.loss)
    model = BetaTCVAE(beta=5.0, **parts())
    model.kl_weight.fill_(0.3)
    output, terms = model(x, noise), plain.terms
    correlation = decomposition(terms.z, terms.mean, terms.stddev).total_correlation
    expected = terms.distortion.mean() + 0.3 * (terms.rate.sum(1).mean() + 4 * correlation)
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(output.extra["total_correlation"], correlation)


def test_covariance_of_the_aggregate_posterior_is_that_of_its_samples():
    z, mean, stddev, total = gaussians(3000)
    torch.testing.assert_close(aggregate_covariance(mean, stddev, samples=False), torch.cov(mean.T, correction=0))
    found = aggregate_covariance(mean, stddev, samples=True)
    assert (found - torch.cov(z.T)).abs().max() < 0.12
    assert (found - total).abs().max() < 0.12


@pytest.mark.parametrize("version", ["I", "II"])
def test_dip_vae_is_the_vae_with_its_penalty(version):
    x, noise = batch()
    output = DIPVAE(offdiagonal=2.0, diagonal=3.0, version=version, **parts())(x, noise)
    terms = output.terms
    covariance = torch.cov(terms.mean.T, correction=0)
    if version == "II":
        covariance = covariance + terms.stddev.square().mean(0).diag()
    penalty = 2 * 2 * covariance[0, 1].square() + 3 * (covariance.diagonal() - 1).square().sum()
    torch.testing.assert_close(output.extra["covariance_penalty"], penalty)
    torch.testing.assert_close(output.loss, VAE(**parts())(x, noise).loss + penalty)


def test_permuted_dimensions_keep_their_values_and_lose_their_ties():
    z, *_ = gaussians(2000)
    mixed = permuted(z, torch.randn(2000, D, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(mixed.sort(0).values, z.sort(0).values)
    assert abs(torch.corrcoef(mixed.T)[0, 1]) < 0.1 < torch.corrcoef(z.T)[0, 1]


def test_a_trained_discriminator_knows_the_total_correlation():
    """On the known Gaussians the mean log-odds of q(z) come near the closed form."""
    z, _, _, total = gaussians(3000)
    torch.manual_seed(0)
    net = FactorVAE(hidden=32, layers=2, **parts()).discriminator.double()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    noise = torch.randn(150, 3000, D, generator=torch.Generator().manual_seed(4))
    for step in noise:
        loss = nn.functional.softplus(-net(z)).mean() + nn.functional.softplus(net(permuted(z, step))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert net(z).mean().item() == pytest.approx(closed_form(total)[1].item(), abs=0.05)


def test_factor_vae_is_the_vae_with_the_log_odds_and_a_discriminator_beside():
    x, noise = batch(streams=2)
    model = FactorVAE(gamma=3.0, hidden=8, layers=1, **parts())
    output = model(x, noise)
    expected = VAE(**parts())(x, noise[:1]).loss + 3 * output.extra["total_correlation"]
    torch.testing.assert_close(output.loss, expected)
    output.loss.backward()
    weights = model.discriminator[0].weight
    alone = copy.deepcopy(model)
    alone.zero_grad()
    alone(x, noise).extra["discriminator_loss"].backward()
    torch.testing.assert_close(weights.grad, alone.discriminator[0].weight.grad)  # it learns from its own error alone
    assert all(parameter.grad is None for parameter in alone.encoder.parameters())  # which the encoder does not feel


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BetaTCVAE(beta=0.5, **parts()), "beta=0.5: must be a finite number >= 1"),
        (lambda: DIPVAE(offdiagonal=-1, **parts()), "offdiagonal=-1: must be a finite number >= 0"),
        (lambda: DIPVAE(diagonal=-1, **parts()), "diagonal=-1: must be a finite number >= 0"),
        (lambda: DIPVAE(version="III", **parts()), "version=III: must be one of I, II"),
        (lambda: FactorVAE(gamma=-1, **parts()), "gamma=-1: must be a finite number >= 0"),
        (lambda: FactorVAE(hidden=0, **parts()), "hidden=0: must be a whole number >= 1"),
        (lambda: FactorVAE(layers=0, **parts()), "layers=0: must be a whole number >= 1"),
    ],
)
def test_bad_strengths_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
