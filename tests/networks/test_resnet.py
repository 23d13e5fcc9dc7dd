"""Residual networks: any size of image, no image that another one moves, compiled and stacked."""

import pytest
import torch
from torch import nn

from vae_lab.networks import ResNetDecoder, ResNetEncoder
from vae_lab.networks.resnet import ResidualBlock, halved

D = 3
SIZES = [(28, 28), (32, 32), (45, 37), (64, 64), (28, 20), (1, 7)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("norm", ["group", "none"])
def test_any_size_fits(size, norm):
    shape = (3, *size)
    location, raw_scale = ResNetEncoder(shape, D, [4, 8, 8], norm=norm)(torch.rand(2, *shape))
    assert location.shape == raw_scale.shape == (2, D)
    assert ResNetDecoder(shape, D, [4, 8, 8], norm=norm)(location).shape == (2, *shape)


def test_images_of_128_pixels():
    shape = (3, 128, 128)
    location, _ = ResNetEncoder(shape, D, [2, 2, 4, 4, 4])(torch.rand(1, *shape))
    assert ResNetDecoder(shape, D, [2, 2, 4, 4, 4])(location).shape == (1, *shape)


@pytest.mark.parametrize("size", [(28, 28), (9, 5), (4, 4), (1, 1)])
def test_halved_sizes_are_those_of_the_convolutions(size):
    h, sizes = torch.rand(1, 2, *size), halved(size, 4)
    for expected in sizes[1:]:
        h = ResidualBlock(2, 2, 2, "none")(h)
        assert h.shape[2:] == expected


def test_a_block_starts_from_what_it_skips():
    block, h = ResidualBlock(4, 4, 1, "group"), torch.rand(2, 4, 5, 5)
    nn.init.zeros_(block.branch[-1].weight)
    nn.init.zeros_(block.branch[-1].bias)
    assert torch.equal(block(h), h)


def test_every_pixel_is_read_and_every_latent_is_used():
    shape = (2, 9, 7)
    x, z = torch.randn(20, *shape, requires_grad=True), torch.randn(20, D, requires_grad=True)
    sum(part.sum() for part in ResNetEncoder(shape, D, [4, 8])(x)).backward()
    ResNetDecoder(shape, D, [4, 8])(z).square().sum().backward()
    assert (x.grad.abs().amax(0) > 0).all()
    assert (z.grad.abs().amax(0) > 0).all()


def test_group_norm_takes_the_largest_divisor_up_to_eight():
    groups = [m.num_groups for m in ResNetEncoder((1, 8, 8), D, [12, 16]).modules() if isinstance(m, nn.GroupNorm)]
    assert groups == [4, 4, 4, 8, 8]
    assert not any(isinstance(m, nn.GroupNorm) for m in ResNetEncoder((1, 8, 8), D, [12], norm="none").modules())


@pytest.mark.parametrize("norm", ["group", "none"])
def test_compiled_and_stacked(norm, check_compiles_and_stacks):
    def made(kind, seed):
        torch.manual_seed(seed)
        return kind((2, 7, 5), D, [4, 8], norm=norm)

    encoders, decoders = ([made(kind, seed) for seed in range(2)] for kind in (ResNetEncoder, ResNetDecoder))
    check_compiles_and_stacks(encoders, torch.rand(3, 2, 7, 5), read=lambda out: torch.cat(out))
    check_compiles_and_stacks(decoders, torch.randn(3, D))


@pytest.mark.parametrize("network", [ResNetEncoder, ResNetDecoder])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": []}, r"channels=\[\]: must name at least one stage"),
        ({"channels": [8, 0]}, "channels=0: must be a whole number >= 1"),
        ({"blocks": 0}, "blocks=0: must be a whole number >= 1"),
        ({"norm": "batch"}, "norm=batch: must be one of group, none"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(network, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        network((1, 8, 8), D, **options)
