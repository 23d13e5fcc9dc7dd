"""Decoders with skip: z enters every layer; without it they are what they were."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from vae_lab.config.build import build
from vae_lab.networks import ConvDecoder, MLPDecoder

IMAGE, D = (2, 8, 8), 3
DECODERS = {
    "mlp": lambda skip: MLPDecoder(IMAGE, D, [7, 6, 5], skip=skip),
    "conv": lambda skip: ConvDecoder(IMAGE, D, [4, 6], hidden=12, skip=skip),
}
every_decoder = pytest.mark.parametrize("decoder", DECODERS)


def make(decoder, skip, seed=0):
    torch.manual_seed(seed)
    return DECODERS[decoder](skip)


def plain(decoder):
    """The networks without skip, written out."""
    torch.manual_seed(0)
    if decoder == "mlp":
        sizes = [D, 7, 6, 5, math.prod(IMAGE)]
        layers = [nn.Linear(sizes[0], sizes[1])]
        for before, after in pairwise(sizes[1:]):
            layers += [nn.ReLU(), nn.Linear(before, after)]
        return nn.Sequential(*layers)
    return nn.Sequential(
        *[nn.Linear(D, 12), nn.ReLU(), nn.Linear(12, 6 * 2 * 2), nn.ReLU(), nn.Unflatten(1, (6, 2, 2))],
        *[nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1), nn.ReLU()],
        nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1),
    )


def paths(model):
    """For each layer, the weights (a view) by which it reads z."""
    if isinstance(model, MLPDecoder):
        return [layer.weight.data[:, -D:] for layer in model.net.layers]
    return [model.net[0].weight.data, *[skip.weight.data for skip in model.skips.values()]]


def moves(model):
    """How much each image changes with z."""
    z = torch.randn(16, D, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return (model(z) - model(2 * z.flip(0))).abs().amax((1, 2, 3)).max()


@every_decoder
def test_without_skip_nothing_has_changed(decoder):
    model, expected = make(decoder, skip=False), plain(decoder)
    state = {f"net.{name}": value for name, value in expected.state_dict().items()}
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in state.items())
    z = torch.randn(5, D)
    assert torch.equal(model(z), expected(z).reshape(5, *IMAGE))


@every_decoder
def test_without_skip_z_enters_by_the_first_layer_alone(decoder):
    model = make(decoder, skip=False)
    assert moves(model) > 1e-4
    next(model.parameters()).data.zero_()
    assert moves(model) == 0


@every_decoder
def test_shape_and_images_of_their_own(decoder):
    model = make(decoder, skip=True)
    z = torch.randn(6, D)
    assert model(z).shape == (6, *IMAGE)
    torch.testing.assert_close(model(z)[2:3], model(z[2:3]))


@every_decoder
def test_with_skip_every_layer_reads_z_on_its_own(decoder):
    model = make(decoder, skip=True)
    assert len(paths(model)) == 4
    for kept in range(4):
        alone = copy.deepcopy(model)
        for i, path in enumerate(paths(alone)):
            if i != kept:
                path.zero_()
        assert moves(alone) > 1e-4, kept
        paths(alone)[kept].zero_()
        assert moves(alone) == 0  # there are no other paths


@every_decoder
def test_the_output_layer_reads_z_without_a_nonlinearity(decoder):
    model = make(decoder, skip=True)
    for path in paths(model)[:-1]:
        path.zero_()
    u, v = torch.randn(2, 5, D)
    torch.testing.assert_close(model(u + v) + model(0 * u), model(u) + model(v))


@every_decoder
def test_with_skip_the_whole_is_not_linear(decoder):
    model = make(decoder, skip=True)
    u, v = 3 * torch.randn(2, 5, D)
    assert (model(u + v) + model(0 * u) - model(u) - model(v)).abs().max() > 1e-3


def test_a_path_of_the_conv_decoder_adds_one_number_to_each_channel():
    model = make("conv", skip=True)
    for path in paths(model)[:-1]:
        path.zero_()
    z = torch.randn(5, D)
    added = model(z) - model(0 * z)
    expected = (z @ paths(model)[-1].T)[:, :, None, None].expand(5, *IMAGE)
    torch.testing.assert_close(added, expected, rtol=1e-4, atol=1e-5)


@every_decoder
def test_compiles_and_stacks(decoder, check_compiles_and_stacks):
    models = [make(decoder, skip=True, seed=seed) for seed in range(3)]
    check_compiles_and_stacks(models, torch.randn(4, D))


@every_decoder
@pytest.mark.parametrize("skip", [False, True])
def test_option_is_read_from_the_config(decoder, skip, compose_config):
    config = compose_config(f"decoder={decoder}", *([f"decoder.skip={skip}".lower()] if skip else []))
    model = build(config["decoder"], "decoder", nn.Module, image_shape=IMAGE, latent_dim=D)
    next(model.parameters()).data.zero_()
    assert (moves(model) > 0) == skip
