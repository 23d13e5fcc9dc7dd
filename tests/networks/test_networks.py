"""Networks: shapes for any image, dependence on the whole input, and refusals by name."""

import pytest
import torch

from vae_lab.networks import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder, ResNetDecoder, ResNetEncoder

PAIRS = {
    "mlp": lambda shape, d: (MLPEncoder(shape, d, hidden=[16, 8]), MLPDecoder(shape, d, hidden=[8, 16])),
    "linear": lambda shape, d: (MLPEncoder(shape, d, hidden=[]), MLPDecoder(shape, d, hidden=[])),
    "conv": lambda shape, d: (ConvEncoder(shape, d, [4, 6], hidden=12), ConvDecoder(shape, d, [4, 6], hidden=12)),
    "resnet": lambda shape, d: (ResNetEncoder(shape, d, [4, 6]), ResNetDecoder(shape, d, [4, 6])),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 12, 4), (3, 28, 28)])
@pytest.mark.parametrize("latent_dim", [1, 5])
def test_shapes(pair, shape, latent_dim):
    encoder, decoder = PAIRS[pair](shape, latent_dim)
    location, raw_scale = encoder(torch.randn(3, *shape))
    assert location.shape == raw_scale.shape == (3, latent_dim)
    assert decoder(location).shape == (3, *shape)


@pytest.mark.parametrize("pair", PAIRS)
def test_location_and_scale_are_two_answers(pair):
    location, raw_scale = PAIRS[pair]((1, 8, 8), 4)[0](torch.randn(3, 1, 8, 8))
    assert (location - raw_scale).abs().min() > 1e-6


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pixel_is_read_and_every_latent_is_used(pair):
    encoder, decoder = PAIRS[pair]((2, 8, 8), 4)
    x, z = torch.randn(64, 2, 8, 8, requires_grad=True), torch.randn(64, 4, requires_grad=True)
    sum(part.sum() for part in encoder(x)).backward()
    decoder(z).square().sum().backward()
    assert (x.grad.abs().amax(0) > 0).all()
    assert (z.grad.abs().amax(0) > 0).all()


@pytest.mark.parametrize("pair", PAIRS)
def test_images_of_a_batch_do_not_see_each_other(pair):
    encoder, decoder = PAIRS[pair]((1, 8, 8), 3)
    x, z = torch.randn(6, 1, 8, 8), torch.randn(6, 3)
    torch.testing.assert_close(encoder(x)[0][2:3], encoder(x[2:3])[0])
    torch.testing.assert_close(decoder(z)[2:3], decoder(z[2:3]))


@pytest.mark.parametrize("pair", PAIRS)
def test_decoder_output_is_not_clipped(pair):
    image = PAIRS[pair]((1, 8, 8), 3)[1](20 * torch.randn(50, 3))
    assert image.min() < 0 < image.max()  # logits or means: no activation at the end


def test_without_hidden_layers_mlp_is_linear():
    encoder, decoder = PAIRS["linear"]((1, 2, 3), 2)
    a, b = torch.randn(2, 4, 1, 2, 3)
    torch.testing.assert_close(encoder(a + b)[0] + encoder(0 * a)[0], encoder(a)[0] + encoder(b)[0])
    u, v = torch.randn(2, 4, 2)
    torch.testing.assert_close(decoder(u + v) + decoder(0 * u), decoder(u) + decoder(v))


def test_hidden_layers_are_not_linear():
    encoder, _ = PAIRS["mlp"]((1, 2, 3), 2)
    a, b = 3 * torch.randn(2, 4, 1, 2, 3)
    assert (encoder(a + b)[0] + encoder(0 * a)[0] - encoder(a)[0] - encoder(b)[0]).abs().max() > 1e-2


def test_widths_are_the_widths():
    sizes = [tuple(p.shape) for p in MLPEncoder((1, 2, 3), 4, hidden=[7, 5]).parameters() if p.ndim == 2]
    assert sizes == [(7, 6), (5, 7), (8, 5)]
    kernels = [tuple(p.shape) for p in ConvEncoder((3, 8, 8), 4, [5, 7], hidden=9).parameters() if p.ndim > 1]
    assert kernels == [(5, 3, 4, 4), (7, 5, 4, 4), (9, 7 * 2 * 2), (8, 9)]
    kernels = [tuple(p.shape) for p in ConvDecoder((3, 8, 8), 4, [5, 7], hidden=9).parameters() if p.ndim > 1]
    assert kernels == [(9, 4), (7 * 2 * 2, 9), (7, 5, 4, 4), (5, 3, 4, 4)]


@pytest.mark.parametrize("network", [ConvEncoder, ConvDecoder])
@pytest.mark.parametrize(
    ("shape", "channels", "message"),
    [
        ((1, 28, 28), [8, 8, 8], r"channels=\[8, 8, 8\]: 3 stages need .* divisible by 8, the images are 28x28"),
        ((1, 8, 6), [8, 8], r"channels=\[8, 8\]: 2 stages need .* divisible by 4, the images are 8x6"),
        ((1, 5, 8), [8], r"channels=\[8\]: 1 stages need .* divisible by 2, the images are 5x8"),
        ((1, 8, 8), [], r"channels=\[\]: must name at least one stage"),
        ((1, 8, 8), [8, 0], "channels=0: must be a whole number >= 1"),
        ((1, 8, 8), 8, "channels=8: must be a list"),
    ],
)
def test_conv_refuses_what_does_not_fit_by_name(network, shape, channels, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        network(shape, 2, channels)


@pytest.mark.parametrize("network", [MLPEncoder, MLPDecoder])
@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (256, "hidden=256: must be a list"),
        ("256", "hidden=256: must be a list"),
        ([0], "hidden=0: must be a whole number >= 1"),
        ([8, -1], "hidden=-1: must be"),
        ([8, 2.5], "hidden=2.5: must be"),
    ],
)
def test_mlp_refuses_bad_widths_by_name(network, hidden, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        network((1, 4, 4), 2, hidden)
