"""Images drawn pixel by pixel: the decoder's own distribution, from a seed alone."""

import itertools

import pytest
import torch
from torch import nn

from vae_lab.elbo.likelihoods import Bernoulli, ContinuousBernoulli, DiscretizedLogistic, Gaussian
from vae_lab.models import VAE
from vae_lab.networks import MLPEncoder, PixelCNN
from vae_lab.networks.pixel_sampling import sample_pixels

D = 2
LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": lambda: Gaussian(0.1),
    "discretized_logistic": lambda: DiscretizedLogistic(levels=5, scale=1.0),
}
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def make(height, width, field=2, **options):
    torch.manual_seed(0)
    model = PixelCNN((1, height, width), D, channels=4, receptive_field=field, reach=1, **options)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def latents(n, seed=0):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed))


def allowed(likelihood, x):
    """Whether all pixels are values that the likelihood can take."""
    if likelihood == "bernoulli":
        return set(x.unique().tolist()) <= {0.0, 1.0}
    if likelihood == "discretized_logistic":
        return set((4 * x).unique().tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    return bool(x.isfinite().all()) and (likelihood == "gaussian" or bool(((x >= 0) & (x <= 1)).all()))


@every_likelihood
def test_same_seed_same_images(likelihood):
    decoder, p, z = make(3, 4), LIKELIHOODS[likelihood](), latents(6)
    before = torch.get_rng_state()
    first, again, other = (sample_pixels(decoder, p, z, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.shape == (6, 1, 3, 4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert allowed(likelihood, first)
    assert not first.requires_grad


@every_likelihood
def test_each_pixel_is_the_quantile_of_its_conditional(likelihood):
    """A drawn image goes through the decoder once more: each pixel lies where its noise says, given those before it."""
    from vae_lab import noise

    decoder, p, z = make(3, 4), LIKELIHOODS[likelihood](), latents(5)
    x = sample_pixels(decoder, p, z, seed=3)
    u = noise.uniform((5, 1, 3, 4), seed=3, purpose="pixels")
    with torch.no_grad():
        torch.testing.assert_close(p.quantile(decoder(z, x), u), x)
    assert u.unique().numel() == u.numel()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_are_of_the_latents_dtype(dtype):
    decoder = make(2, 3).to(dtype)
    assert sample_pixels(decoder, Gaussian(0.1).to(dtype), latents(2).to(dtype), seed=0).dtype == dtype


def test_an_image_does_not_depend_on_those_after_it_in_the_batch():
    decoder, z = make(3, 3), latents(6)
    assert torch.equal(sample_pixels(decoder, Bernoulli(), z, 0)[:4], sample_pixels(decoder, Bernoulli(), z[:4], 0))


def test_frequencies_are_the_probabilities():
    """All 16 binary images of 2x2 pixels, 20,000 draws of one latent."""
    n, decoder, z = 20_000, make(2, 2), latents(1, seed=4)
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).view(-1, 1, 2, 2)
    with torch.no_grad():
        p = Bernoulli().log_prob(decoder(z.expand(16, D), images), images).double().exp()
    drawn = sample_pixels(decoder, Bernoulli(), z.expand(n, D), seed=0).flatten(1)
    counts = torch.bincount((drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long(), minlength=16)
    error = (p * (1 - p) / n).sqrt()
    assert ((counts / n - p).abs() < 4 * error + 1e-9).all()
    marginals = (images.flatten(1).double() * p[:, None]).sum(0)
    product = (images.flatten(1) * marginals + (1 - images.flatten(1)) * (1 - marginals)).prod(1)
    assert ((product - p).abs() > 8 * error).any(), "pixels drawn on their own would not pass"


@pytest.mark.parametrize("progress", [True, False])
def test_bar_shows_on_stderr_when_asked_for(progress, capsys):
    sample_pixels(make(2, 2), Bernoulli(), latents(1), 0, progress)
    said = capsys.readouterr()
    assert said.out == ""
    assert ("drawing pixels" in said.err) == progress


@every_likelihood
def test_a_model_samples_reconstructs_and_decodes_valid_pixels(likelihood, capsys):
    torch.manual_seed(0)
    encoder = MLPEncoder((1, 3, 4), D, [8])
    model = VAE(encoder=encoder, decoder=make(3, 4), likelihood=LIKELIHOODS[likelihood](), latent_dim=D).eval()
    x, z = torch.rand(5, 1, 3, 4), latents(5)
    before = torch.get_rng_state()
    images = [model.sample(5, seed=1), model.reconstruct(x, seed=1), model.decode(z, seed=1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(part.shape == (5, 1, 3, 4) and allowed(likelihood, part) for part in images)
    again = [model.sample(5, seed=1), model.reconstruct(x, seed=1), model.decode(z, seed=1)]
    other = [model.sample(5, seed=2), model.reconstruct(x, seed=2), model.decode(z, seed=2)]
    assert all(torch.equal(*pair) for pair in zip(images, again, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(images, other, strict=True))
    assert capsys.readouterr().err == ""
    model.sample(1, progress=True)
    assert "drawing pixels" in capsys.readouterr().err
