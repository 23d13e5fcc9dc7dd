"""VAE and β-VAE: the loss against torch.distributions, written out."""

import copy

import pytest
import torch
from torch import distributions as td

from vae_lab.elbo.likelihoods import Bernoulli, Gaussian
from vae_lab.elbo.penalties import FreeBitsPenalty
from vae_lab.models import VAE, BetaVAE
from vae_lab.networks import MLPDecoder, MLPEncoder

IMAGE, D, B = (2, 3, 4), 5, 7


def make(likelihood, model=VAE, **options):
    torch.manual_seed(0)
    networks = {"encoder": MLPEncoder(IMAGE, D, [9]), "decoder": MLPDecoder(IMAGE, D, [9])}
    return model(**networks, likelihood=copy.deepcopy(likelihood), latent_dim=D, **options).double()


def batch(n=B):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(n, *IMAGE, generator=generator, dtype=torch.float64)
    return x, torch.randn(1, n, D, generator=generator, dtype=torch.float64)


def written_out(model, x, noise):
    """Distortion (B,) and rate (B,) by torch.distributions, one image at a time."""
    distortions, rates = [], []
    for image, epsilon in zip(x, noise[0], strict=True):
        mean, log_variance = (part[0] for part in model.encoder(image[None]))
        q = td.MultivariateNormal(mean, torch.diag(log_variance.exp()))
        z = mean + log_variance.exp().sqrt() * epsilon
        params = model.decoder(z[None])[0]
        if isinstance(model.likelihood, Bernoulli):
            p = td.ContinuousBernoulli(logits=params)
            log_prob = p.log_prob(image) - p._cont_bern_log_norm()
        else:
            log_prob = td.Normal(params, model.likelihood.log_variance.exp().sqrt()).log_prob(image)
        distortions.append(-log_prob.sum())
        rates.append(td.kl_divergence(q, td.MultivariateNormal(torch.zeros(D).double(), torch.eye(D).double())))
    return torch.stack(distortions), torch.stack(rates)


LIKELIHOODS = [Bernoulli(), Gaussian(0.1), Gaussian(0.3, fit="learned")]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_loss_is_the_negative_elbo(likelihood):
    model = make(likelihood)
    x, noise = batch()
    distortion, rate = written_out(model, x, noise)
    output = model(x, noise)
    torch.testing.assert_close(output.terms.distortion, distortion)
    torch.testing.assert_close(output.terms.rate.sum(1), rate)
    torch.testing.assert_close(output.loss, (distortion + rate).mean())


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("kl_weight", [0.0, 0.3, 1.0])
def test_beta_and_kl_weight_scale_the_rate(beta, kl_weight):
    model = make(Gaussian(0.1), BetaVAE, beta=beta)
    model.kl_weight.fill_(kl_weight)
    weight = beta * model.kl_weight.item()
    distortion, rate = written_out(model, *batch())
    torch.testing.assert_close(model(*batch()).loss, distortion.mean() + weight * rate.mean())


def test_kl_weight_scales_the_rate_of_the_vae():
    model = make(Bernoulli())
    model.kl_weight.fill_(0.25)
    distortion, rate = written_out(model, *batch())
    torch.testing.assert_close(model(*batch()).loss, distortion.mean() + 0.25 * rate.mean())


def test_beta_one_is_the_vae():
    assert torch.equal(make(Bernoulli(), BetaVAE, beta=1.0)(*batch()).loss, make(Bernoulli())(*batch()).loss)


@pytest.mark.parametrize("mode", FreeBitsPenalty.modes)
def test_beta_and_kl_weight_scale_the_penalised_rate(mode):
    model = make(Bernoulli(), BetaVAE, beta=3.0)
    model.penalty = FreeBitsPenalty(mode, 0.4)
    model.kl_weight.fill_(0.5)
    output = model(*batch())
    expected = output.terms.distortion.mean() + 1.5 * model.penalty(output.terms.rate)
    torch.testing.assert_close(output.loss, expected)
    assert (
        model.penalty(output.terms.rate) > output.terms.rate.sum(1).mean() + 0.1
    )  # ε is felt, and the rate is still the true one


def test_loss_is_a_mean_over_the_batch():
    model = make(Gaussian(0.1))
    x, noise = batch()
    one = model(x, noise).loss
    torch.testing.assert_close(model(x.repeat(3, 1, 1, 1), noise.repeat(1, 3, 1)).loss, one)
    singles = torch.stack([model(x[i : i + 1], noise[:, i : i + 1]).loss for i in range(B)])
    torch.testing.assert_close(one, singles.mean())


def test_distortion_grows_with_the_number_of_pixels():
    """β = 1 must mean the same at any image size: sums over pixels, never means."""
    for likelihood in LIKELIHOODS:
        params = torch.zeros(3, 1, 4, 4)
        small, large = (-likelihood.log_prob(params.repeat(1, c, 1, 1), params.repeat(1, c, 1, 1)) for c in (1, 5))
        torch.testing.assert_close(large, 5 * small)


@pytest.mark.parametrize("beta", [-1.0, float("inf"), float("nan"), "4", True])
def test_bad_beta_is_refused_by_name(beta):
    with pytest.raises(ValueError, match=f"^beta={beta}: must be a finite number >= 0"):
        make(Bernoulli(), BetaVAE, beta=beta)
