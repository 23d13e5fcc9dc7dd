"""The style decoder: its convolutions against one kernel per image, and its noise as an input of a pure loss."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import conv2d

from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.models import VAE
from vae_lab.networks import MLPEncoder, StyleDecoder
from vae_lab.networks.style import LEAST, ModulatedConv
from vae_lab.training.measures import distortion, log_weights

D, SHAPE = 4, (3, 7, 5)


def decoder(shape=SHAPE, seed=0, strength=0.5):
    torch.manual_seed(seed)
    made = StyleDecoder(shape, D, channels=[4, 6], style=8, mapping_layers=2)
    for layer in made.layers:
        torch.nn.init.constant_(layer.strength, strength)
    return made


def model(**options):
    torch.manual_seed(0)
    return VAE(MLPEncoder(SHAPE, D, [8]), decoder(**options), Gaussian(0.1), latent_dim=D)


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_that_of_a_kernel_per_image(demodulate):
    """The paper's form: scale the kernel by the style, bring each output channel to norm 1, convolve image by image."""
    torch.manual_seed(0)
    layer = ModulatedConv(5, 6, 8, demodulate=demodulate).double()
    torch.nn.init.normal_(layer.bias)
    h, w = torch.randn(3, 5, 7, 6).double(), torch.randn(3, 8).double()
    expected = []
    for one, style in zip(h, layer.style(w), strict=True):
        kernel = layer.weight * style[None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + LEAST).sqrt()
        expected.append(conv2d(one[None], kernel, layer.bias, padding=1))
    torch.testing.assert_close(layer(h, w), torch.cat(expected))


def test_demodulation_takes_away_the_length_of_the_style():
    torch.manual_seed(0)
    layer, h = ModulatedConv(5, 6, 8).double(), torch.randn(3, 5, 7, 6).double()
    torch.nn.init.zeros_(layer.style.bias)
    w = torch.randn(3, 8).double()
    torch.testing.assert_close(layer(h, 3 * w), layer(h, w), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (45, 37), (128, 128)])
def test_any_size_fits(size):
    made = StyleDecoder((3, *size), D, channels=[2, 2, 4, 4], style=8)
    assert made(torch.randn(2, D), torch.randn(2, made.noise_size)).shape == (2, 3, *size)


def test_noise_of_each_size_counts_and_stays_with_its_image():
    made = decoder()
    z, noise = torch.randn(3, D), torch.randn(3, made.noise_size)
    assert made.noise_sizes == [4 * 3, 7 * 5, 7 * 5]
    slope = torch.func.jacrev(lambda noise: made(z, noise).flatten(1).square().sum(1))(noise)
    assert (slope[torch.arange(3), torch.arange(3)] != 0).all()
    assert slope.abs().sum((1, 2)).allclose(slope[torch.arange(3), torch.arange(3)].abs().sum(1))
    silent = decoder(strength=0.0)
    assert silent(z, noise).equal(silent(z, 0 * noise))


def test_every_latent_is_used():
    z = torch.randn(20, D, requires_grad=True)
    made = decoder()
    made(z, torch.zeros(20, made.noise_size)).square().sum().backward()
    assert (z.grad.abs().amax(0) > 0).all()


def test_compiled_and_stacked(check_compiles_and_stacks):
    models = [decoder(seed=seed) for seed in range(2)]
    check_compiles_and_stacks(models, torch.randn(3, D), torch.randn(3, models[0].noise_size))


# in a model

N = 4 * 3 + 2 * 7 * 5


def test_the_decoders_noise_is_the_last_streams_of_the_pass():
    vae = model()
    assert (vae.noise_size, vae.noise_streams) == (N, 1 + -(-N // D))
    x, noise = torch.rand(6, *SHAPE), torch.randn(vae.noise_streams, 6, D)
    output = vae(x, noise)
    own = noise[1:].transpose(0, 1).reshape(6, -1)[:, :N]
    torch.testing.assert_close(output.terms.params, vae.decoder(output.terms.z, own))
    other = noise.clone()
    other[1:] += 1
    assert not vae(x, other).loss.equal(output.loss)
    assert vae(x, noise).loss.equal(output.loss)


def test_noise_of_evaluation_belongs_to_the_images_index():
    vae, rows = model(), torch.arange(8)
    x = torch.rand(8, *SHAPE)
    whole = vae(x, vae.evaluation_noise(rows, "test")).terms.params
    some = torch.tensor([5, 1])
    torch.testing.assert_close(vae(x[some], vae.evaluation_noise(some, "test")).terms.params, whole[some])


def test_noise_of_training_is_a_function_of_the_step():
    vae = model()

    def drawn(step):
        vae.trainer = SimpleNamespace(world_size=1, global_rank=0, global_step=step)
        return vae.training_noise(4)

    assert drawn(3).equal(drawn(3))
    assert not drawn(3)[1:].equal(drawn(4)[1:])


def test_the_shuffle_gap_keeps_each_images_noise():
    """With its own z an image has the distortion of its pass, whatever else is asked for beside it."""
    vae, rows = model(), torch.arange(6)
    x = torch.rand(6, *SHAPE)
    with torch.no_grad():
        terms = vae(x, vae.evaluation_noise(rows, "test")).terms
        some = torch.tensor([4, 2])
        again = distortion(vae, "test", terms.z[some], x[some], rows[some])
    torch.testing.assert_close(again, terms.distortion[some])


def test_samples_have_noise_of_their_own_and_decoded_latents_share_one_draw():
    vae = model().eval()
    with torch.no_grad():
        same = vae.decode(torch.zeros(3, D))
        assert same[0].allclose(same[1], atol=1e-6)
        assert not vae.decode(torch.zeros(3, D), seed=1).allclose(same, atol=1e-3)
        assert vae.sample(5, seed=1)[:3].allclose(vae.sample(3, seed=1))
        assert not vae.sample(3, seed=2).equal(vae.sample(3, seed=1))


def test_importance_weights_count_the_noise_as_a_latent_of_its_own():
    """The mean weight is p(x) whatever the proposal: with the prior as posterior it is plain Monte Carlo over both."""
    vae, k = model().double().eval(), 4000
    for parameter in vae.encoder.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(2, *SHAPE).double()
    noise = torch.randn(k, 2, D + N).double()
    with torch.no_grad():
        weights = vae.log_weights(x, noise)
        params = vae.decoder(noise[:, 0, :D], noise[:, 0, D:])
        direct = vae.likelihood.log_prob(params, x[:1].expand(k, *SHAPE))
    torch.testing.assert_close(weights[:, 0], direct)
    assert log_weights(vae, x, torch.arange(2), torch.arange(3)).shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [8]}, r"channels=\[8\]: must name at least two sizes"),
        ({"channels": [8, 0]}, "channels=0: must be a whole number >= 1"),
        ({"style": 0}, "style=0: must be a whole number >= 1"),
        ({"mapping_layers": 0}, "mapping_layers=0: must be a whole number >= 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        StyleDecoder((1, 8, 8), D, **options)
