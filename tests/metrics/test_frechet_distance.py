import sys

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn

from vae_lab.checks import ArgumentError
from vae_lab.metrics import FDLite0, frechet_distance
from vae_lab.metrics.frechet_distance import moments

MODULE = sys.modules["vae_lab.metrics.frechet_distance"]  # the function of its name hides it in the package


def gaussian(features, seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((features, features))
    return torch.from_numpy(rng.standard_normal(features)), torch.from_numpy(root @ root.T)


@pytest.mark.parametrize("features", [1, 5, 40])
def test_it_is_the_closed_form_of_two_gaussians(features):
    (m1, c1), (m2, c2) = gaussian(features, 0), gaussian(features, 1)
    root = sqrtm((c1 @ c2).numpy()).real  # not symmetric, unlike ours: independent of it
    expected = float((m1 - m2).square().sum() + c1.trace() + c2.trace()) - 2 * np.trace(root)
    assert frechet_distance(m1, c1, m2, c2).item() == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(m2, c2, m1, c1).item() == pytest.approx(expected, rel=1e-6)


def test_commuting_covariances_have_a_sum_of_squares():
    v1, v2 = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 4.0, 1.0])
    found = frechet_distance(torch.zeros(3), v1.diag(), torch.ones(3), v2.diag())
    assert found.item() == pytest.approx(3 + 1 + 0 + 4, rel=1e-6)
    assert frechet_distance(torch.zeros(3), v1.diag(), torch.zeros(3), v1.diag()).item() == pytest.approx(0, abs=1e-5)


def test_a_point_has_no_covariance():
    (m1, c1), (m2, c2) = gaussian(5, 0), gaussian(5, 1)
    expected = float((m1 - m2).square().sum() + c1.trace())
    assert frechet_distance(m1, c1, m2, 0 * c2).item() == pytest.approx(expected)
    assert frechet_distance(m2, 0 * c2, m1, c1).item() == pytest.approx(expected)


def test_it_finds_the_distance_of_sampled_gaussians():
    rng = np.random.default_rng(0)
    one, other = (torch.from_numpy(rng.standard_normal((200_000, 3)) * s + m) for s, m in ((1.0, 0.0), (2.0, 1.0)))
    assert frechet_distance(*moments(one), *moments(other)).item() == pytest.approx(3 + 3, rel=0.02)


@pytest.fixture
def metric(monkeypatch):
    """On features that are the image's channels at each place: their means are what the metric sees."""

    class Channels(nn.Module):
        def forward(self, x):
            return [x]

    def make(samples, **options):
        monkeypatch.setattr(MODULE, "lite0_features", lambda *_, **__: Channels())
        return FDLite0(samples, (0.0, 1.0), **options)

    return make


def test_it_compares_samples_and_reconstructions_with_the_images(metric):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(50, 3, 2, 2, generator=rng)
    drawn, reconstruction = x.flip(0), (x / 2)
    ours = metric(lambda count: drawn[:count].split(7), images=60)
    for part in torch.arange(50).split(20):
        ours.update(x[part], reconstruction[part], part)
    found, (mean, covariance) = ours.compute(), moments(x.mean((2, 3)))
    assert found["fd_lite0"].item() == pytest.approx(0, abs=1e-6)
    expected = frechet_distance(mean, covariance, mean / 2, covariance / 4)
    assert found["fd_lite0_reconstructions"].item() == pytest.approx(expected.item())
    assert found["fd_lite0_images"] == 50


def test_it_keeps_no_more_images_than_told(metric):
    x = torch.rand(100, 3, 2, 2)
    ours = metric(lambda count: [x[:count]], images=10)
    ours.update(x, x, torch.arange(100))
    assert ours.compute()["fd_lite0_images"] == 10


def test_off_it_needs_no_weights_and_pixels_elsewhere_are_refused(monkeypatch):
    monkeypatch.setattr("vae_lab.perceptual.lite0.PACKAGE", "no_such_package")
    off = FDLite0(lambda count: [], (-1.0, 1.0), images=0)
    off.update(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4), torch.arange(2))
    assert off.compute() == {}
    with pytest.raises(ArgumentError, match=r"needs pixels in \[0, 1\]"):
        FDLite0(lambda count: [], (-1.0, 1.0), images=10)
    with pytest.raises(ValueError, match="pip install"):
        FDLite0(lambda count: [], (0.0, 1.0), images=10)
