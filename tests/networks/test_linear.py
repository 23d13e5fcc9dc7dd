"""Linear networks: they are the maps that they say they are, whole or diagonal."""

import pytest
import torch

from vae_lab.config.build import build
from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.models import VAE
from vae_lab.networks import LinearDecoder, LinearEncoder, MLPDecoder
from vae_lab.networks.linear import linearity_of

IMAGE, PIXELS = (2, 2, 3), 12
both = pytest.mark.parametrize("network", [LinearEncoder, LinearDecoder])
whole_or_diagonal = pytest.mark.parametrize("diagonal", [False, True])


def make(network, latent_dim=4, diagonal=False, image=IMAGE, seed=0):
    torch.manual_seed(seed)
    return network(image, latent_dim, diagonal)


def randomise(module):
    """Move biases and log variances away from their zeros."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p))
    return module


@whole_or_diagonal
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 12, 4), (1, 1, 5)])
@pytest.mark.parametrize("latent_dim", [1, 5])
def test_shapes(diagonal, shape, latent_dim):
    location, raw_scale = make(LinearEncoder, latent_dim, diagonal, shape)(torch.randn(3, *shape))
    assert location.shape == raw_scale.shape == (3, latent_dim)
    assert make(LinearDecoder, latent_dim, diagonal, shape)(location).shape == (3, *shape)


def test_whole_maps_are_matrices_and_biases():
    encoder, decoder = randomise(make(LinearEncoder)), randomise(make(LinearDecoder))
    x, z = torch.randn(5, *IMAGE), torch.randn(5, 4)
    location = torch.einsum("dp,bp->bd", encoder.weight, x.flatten(1)) + encoder.bias
    torch.testing.assert_close(encoder(x)[0], location)
    image = torch.einsum("pd,bd->bp", decoder.weight, z) + decoder.bias
    torch.testing.assert_close(decoder(z), image.reshape(5, *IMAGE))


@pytest.mark.parametrize("latent_dim", [1, 4, PIXELS])
def test_diagonal_maps_are_the_whole_ones_with_a_diagonal_matrix(latent_dim):
    pairs = [randomise(make(network, latent_dim, True)) for network in (LinearEncoder, LinearDecoder)]
    wholes = [make(network, latent_dim) for network in (LinearEncoder, LinearDecoder)]
    for diagonal, whole in zip(pairs, wholes, strict=True):
        assert diagonal.weight.shape == (latent_dim,)
        matrix = torch.zeros_like(whole.weight)
        matrix.diagonal().copy_(diagonal.weight.detach())
        whole.load_state_dict(diagonal.state_dict() | {"weight": matrix})
    x, z = torch.randn(5, *IMAGE), torch.randn(5, latent_dim)
    torch.testing.assert_close(pairs[0](x), wholes[0](x))
    torch.testing.assert_close(pairs[1](z), wholes[1](z))


@whole_or_diagonal
def test_the_image_does_not_move_the_raw_scale(diagonal):
    encoder = randomise(make(LinearEncoder, diagonal=diagonal))
    raw_scale = encoder(torch.randn(5, *IMAGE))[1]
    assert torch.equal(raw_scale, encoder.log_variance.detach().repeat(5, 1))


@both
def test_weights_start_as_those_of_nn_linear_do(network):
    weight = make(network).weight
    bound = weight.shape[1] ** -0.5
    assert 0.7 * bound < weight.abs().max() <= bound
    assert not torch.equal(weight, make(network, seed=1).weight)
    assert torch.equal(weight, make(network).weight)


@both
def test_a_diagonal_starts_alive_and_of_one_sign(network):
    weight = make(network, PIXELS, True).weight
    assert 0.1 <= weight.min() < weight.max() <= 1
    assert not torch.equal(weight, make(network, PIXELS, True, seed=1).weight)


@both
def test_a_diagonal_with_more_latents_than_pixels_is_refused_by_name(network):
    with pytest.raises(ValueError, match=r"^diagonal=True: needs a pixel for each latent, here are 13 for 12"):
        network(IMAGE, 13, diagonal=True)
    network(IMAGE, 13)


@whole_or_diagonal
def test_compiles_and_stacks(diagonal, check_compiles_and_stacks):
    models = []
    for seed in range(3):
        parts = {"encoder": LinearEncoder, "decoder": LinearDecoder}
        networks = {name: make(network, 4, diagonal, seed=seed) for name, network in parts.items()}
        models.append(VAE(**networks, likelihood=Gaussian(), latent_dim=4))
    inputs = torch.rand(8, *IMAGE), torch.randn(1, 8, 4)
    check_compiles_and_stacks(models, *inputs, read=lambda output: output.loss)


def test_options_build_what_they_say(compose_config):
    config = compose_config("encoder=linear", "decoder=linear", "encoder.diagonal=true", "decoder.diagonal=true")
    for part, network in (("encoder", LinearEncoder), ("decoder", LinearDecoder)):
        built = build(config[part], part, torch.nn.Module, image_shape=IMAGE, latent_dim=4)
        assert type(built) is network
        assert built.weight.shape == (4,)


class Stranger(torch.nn.Module):
    """A network that has a layer called ``linear`` and declares nothing."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(1, 1)


@pytest.mark.parametrize(
    ("encoder", "decoder", "expected"),
    [
        (LinearEncoder((1, 2, 2), 3), LinearDecoder((1, 2, 2), 3), "dense"),
        (LinearEncoder((1, 2, 2), 3, True), LinearDecoder((1, 2, 2), 3, True), "diagonal"),
        (LinearEncoder((1, 2, 2), 3, True), LinearDecoder((1, 2, 2), 3), None),
        (LinearEncoder((1, 2, 2), 3), MLPDecoder((1, 2, 2), 3), None),
        (Stranger(), Stranger(), None),
    ],
)
def test_linearity_is_what_both_networks_declare(encoder, decoder, expected):
    assert linearity_of(encoder, decoder) == expected
