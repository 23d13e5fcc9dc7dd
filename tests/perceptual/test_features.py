import copy

import pytest
import torch
from torch import nn

from vae_lab.checks import ArgumentError
from vae_lab.perceptual import Features
from vae_lab.perceptual.classifier import Small
from vae_lab.perceptual.features import repeated, resized
from vae_lab.perceptual.frozen import draw


def small(channels=3, size=None):
    network = Small(channels)
    draw(network, seed=0)
    return Features(network, channels, size, (0.5,), (0.25,))


def test_grey_images_are_repeated_and_others_refused():
    grey = torch.rand(2, 1, 4, 4)
    assert repeated(grey, 3).equal(torch.cat([grey] * 3, 1))
    assert repeated(torch.rand(2, 3, 4, 4), 3).shape == (2, 3, 4, 4)
    with pytest.raises(ArgumentError, match="must have 1 or 3 channels"):
        repeated(torch.rand(2, 2, 4, 4), 3)


@pytest.mark.parametrize("size", [4, 32])
def test_resizing_keeps_proportions_and_flat_images(size):
    x = torch.full((1, 3, 8, 12), 0.3)
    found = resized(x, size)
    assert found.shape == (1, 3, size, size * 3 // 2)
    torch.testing.assert_close(found, torch.full_like(found, 0.3))


def test_making_an_image_smaller_smooths_it_first():
    stripes = torch.zeros(1, 1, 8, 8)
    stripes[..., ::2] = 1.0
    inner = resized(stripes, 4)[..., 1:-1]
    assert inner.std() < 0.01  # without, bilinear sampling at every second pixel would alias


def test_pixels_are_normalised_as_in_training():
    class Pixels(nn.Module):
        def forward(self, x):
            return [x]

    x = torch.rand(2, 3, 4, 4)
    expected = (x - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.5
    torch.testing.assert_close(Features(Pixels(), 3, None, (0.1, 0.2, 0.3), (0.5,))(x)[0], expected)


def test_it_is_frozen_and_in_no_checkpoint():
    holder = nn.Sequential(small()).train()
    assert not holder[0].training and not holder[0].network.training
    assert not list(holder.parameters()) and not holder.state_dict()
    assert {buffer.dtype for buffer in copy.deepcopy(holder).bfloat16().buffers()} == {torch.bfloat16}


def test_bfloat16_comes_near():
    x, features = torch.rand(2, 3, 16, 16), small(size=24)
    half = copy.deepcopy(features).bfloat16()
    for coarse, fine in zip(half(x.bfloat16()), features(x), strict=True):
        assert coarse.dtype == torch.bfloat16
        assert (coarse - fine).abs().max() < 0.05 * fine.abs().max()
