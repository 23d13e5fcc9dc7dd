"""InfoVAE: the weights of its three terms, recomputed independently."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_lab.likelihoods import Bernoulli
from vae_lab.models import VAE, InfoVAE
from vae_lab.networks import MLPDecoder, MLPEncoder
from vae_lab.penalties import FreeBits

IMAGE, D, B = (1, 3, 4), 3, 6


def make(model=InfoVAE, **options):
    torch.manual_seed(0)
    networks = {"encoder": MLPEncoder(IMAGE, D, [9]), "decoder": MLPDecoder(IMAGE, D, [9])}
    return model(**networks, likelihood=Bernoulli(), latent_dim=D, **options).double()


def batch():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(B, *IMAGE, generator=generator, dtype=torch.float64)
    return x, torch.randn(2, B, D, generator=generator, dtype=torch.float64)


def kernel_mean(x, y, kernel, bandwidth, skip_diagonal=False):
    total, pairs = 0.0, 0
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            if skip_diagonal and i == j:
                continue
            r2 = (a - b).pow(2).sum()
            total += torch.exp(-r2 / (2 * bandwidth)) if kernel == "rbf" else bandwidth / (bandwidth + r2)
            pairs += 1
    return total / pairs


def recomputed(model, alpha, lambd, kernel, estimator, bandwidth, kl_weight):
    x, noise = batch()
    mean, log_variance = model.encoder(x)
    q = Normal(mean, log_variance.exp().sqrt())
    z = q.mean + q.stddev * noise[0]
    distortion = torch.nn.functional.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / B
    rate = kl_divergence(q, Normal(torch.zeros_like(mean), 1.0)).sum() / B
    skip = estimator == "unbiased"
    mmd = kernel_mean(z, z, kernel, bandwidth, skip) + kernel_mean(noise[1], noise[1], kernel, bandwidth, skip)
    mmd = mmd - 2 * kernel_mean(z, noise[1], kernel, bandwidth)
    return distortion + (1 - alpha) * kl_weight * rate + (alpha + lambd - 1) * mmd, mmd


@pytest.mark.parametrize(
    ("alpha", "lambd"), [(0.0, 1.0), (0.0, 1000.0), (1.0, 1.0), (0.4, 7.0), (-2.0, 5.0), (0.4, 0.6)]
)
@pytest.mark.parametrize(("kernel", "bandwidth"), [("rbf", None), ("imq", None), ("rbf", 0.7), ("imq", 0.7)])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_loss_is_distortion_rate_and_mmd_by_their_weights(alpha, lambd, kernel, estimator, bandwidth):
    model = make(alpha=alpha, lambd=lambd, kernel=kernel, estimator=estimator, bandwidth=bandwidth)
    model.kl_weight.fill_(0.3)
    bandwidth = bandwidth or {"rbf": D, "imq": 2 * D}[kernel]
    expected, mmd = recomputed(model, alpha, lambd, kernel, estimator, bandwidth, model.kl_weight.item())
    terms = model(*batch())
    torch.testing.assert_close(terms.extra["mmd"], mmd, rtol=1e-6, atol=1e-7)  # coefficients are held in float32
    torch.testing.assert_close(terms.loss, expected, rtol=1e-6, atol=1e-6)


def test_alpha_zero_lambda_one_is_the_vae():
    x, noise = batch()
    torch.testing.assert_close(make(alpha=0.0, lambd=1.0)(x, noise).loss, make(VAE)(x, noise[:1]).loss)


def test_alpha_one_leaves_the_rate_out():
    model = make(alpha=1.0, lambd=1.0)
    terms = model(*batch())
    torch.testing.assert_close(terms.loss, terms.distortion.mean() + terms.extra["mmd"])
    model.kl_weight.fill_(0.0)
    assert torch.equal(model(*batch()).loss, terms.loss)


def test_annealing_and_free_bits_touch_the_rate_but_not_the_mmd():
    model = make(alpha=0.2, lambd=5.0)
    model.penalty = FreeBits("dimension", 2.0)
    before = model(*batch())
    model.kl_weight.fill_(0.5)
    after = model(*batch())
    assert torch.equal(before.extra["mmd"], after.extra["mmd"])
    assert (before.loss - after.loss).item() == pytest.approx(0.8 * 0.5 * 2.0 * D, rel=1e-6)


def test_mmd_pulls_the_aggregate_posterior_to_the_prior():
    model = make(alpha=1.0, lambd=1000.0)
    x, noise = batch()
    far, near = model(x, noise).extra["mmd"], model(x, noise.flip(0)).extra["mmd"]
    with torch.no_grad():
        model.encoder.net[-1].bias[:D] += 3
    assert model(x, noise).extra["mmd"] > max(far, near) + 0.1


def test_prior_samples_are_the_second_noise_stream():
    model = make(alpha=1.0, lambd=10.0)
    x, noise = batch()
    first, second = noise.clone(), noise.clone()
    first[0, 0] += 1
    second[1, 0] += 1
    base = model(x, noise)
    assert not torch.equal(model(x, first).distortion, base.distortion)
    assert torch.equal(model(x, second).distortion, base.distortion)
    assert not torch.equal(model(x, second).extra["mmd"], base.extra["mmd"])


@pytest.mark.parametrize(("estimator", "least"), [("biased", 1), ("unbiased", 2)])
def test_least_batch_size_gives_a_finite_loss(estimator, least):
    model = make(estimator=estimator)
    x, noise = batch()
    assert model.min_batch_size == least
    assert model(x[:least], noise[:, :least]).loss.isfinite()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha=1.5: must be a finite number <= 1"),
        ({"alpha": 0.0, "lambd": 0.5}, "lambd=0.5: must be a finite number >= 1"),
        ({"alpha": -2.0, "lambd": 2.9}, "lambd=2.9: must be a finite number >= 3"),
        ({"kernel": "gauss"}, "kernel=gauss: must be one of rbf, imq"),
        ({"estimator": "u"}, "estimator=u: must be one of biased, unbiased"),
        ({"bandwidth": 0.0}, "bandwidth=0.0: must be a finite number > 0"),
        ({"bandwidth": -1.0}, "bandwidth=-1.0: must be a finite number > 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make(**options)
