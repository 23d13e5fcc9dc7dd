"""Gaussian data: the spectrum is exact, and part of the data set."""

import numpy as np
import pytest
import torch

from vae_lab.checks import ConfigError
from vae_lab.data import GaussianData
from vae_lab.data.gaussian import load, orthonormal, rotation
from vae_lab.linear_theory.spectrum import spectrum
from vae_lab.training.run import check

GIVEN = [4, 2, 1, 0.5, 0.2, 0.1]
SPLITS = ("train", "val", "test")


def array(data, name):
    """The images (N, P) of a split in float64."""
    return data.splits[name].images.flatten(1).double().numpy()


def covariance(data, name):
    """The biased covariance (P, P)."""
    return np.cov(array(data, name), rowvar=False, bias=True).reshape(len(data.eigenvalues), -1)


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("size", [10, 2000])
def test_unrotated_pixels_have_the_eigenvalues_as_variances(name, size):
    data = GaussianData(rotate=False, size=size, batch_size=5)
    assert data.splits[name].images.shape == (size, 1, 1, 6)
    assert data.splits[name].images.dtype == torch.float32
    np.testing.assert_allclose(covariance(data, name), np.diag(GIVEN), rtol=0, atol=1e-5)
    np.testing.assert_allclose(array(data, name).mean(0), 0, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("size", [10, 2000])
def test_rotated_splits_share_one_covariance(name, size):
    data = GaussianData(size=size, batch_size=5)
    axes = rotation(6)
    np.testing.assert_allclose(covariance(data, name), axes @ np.diag(GIVEN) @ axes.T, rtol=0, atol=1e-5)
    np.testing.assert_allclose(array(data, name).mean(0), 0, rtol=0, atol=1e-6)


def test_rotation_is_orthogonal_and_no_identity():
    axes = rotation(6)
    np.testing.assert_allclose(axes @ axes.T, np.eye(6), rtol=0, atol=1e-12)
    assert np.abs(axes).max() < 0.99
    np.testing.assert_array_equal(axes, rotation(6))


def test_axes_are_spread_evenly():
    """Only the QR with a positive diagonal turns a Gaussian matrix into a Haar one."""
    matrix = np.random.default_rng(0).standard_normal((9, 6))
    r = orthonormal(matrix).T @ matrix
    np.testing.assert_allclose(np.tril(r, -1), 0, rtol=0, atol=1e-12)
    assert (np.diag(r) > 0).all()


def test_rotation_turns_the_unrotated_images():
    straight, turned = GaussianData(rotate=False), GaussianData()
    for name in SPLITS:
        np.testing.assert_allclose(array(straight, name) @ rotation(6).T, array(turned, name), rtol=0, atol=1e-5)


@pytest.mark.parametrize("rotate", [True, False])
@pytest.mark.parametrize(
    "given", [GIVEN, GIVEN[::-1], (0.2, 3, 1), [2], [5, 1, 1, 1], [3, 3, 3, 3], [1e-2, 1e4, 1]], ids=str
)
def test_any_order_gives_the_eigenvalues_falling(given, rotate):
    data = GaussianData(given, rotate=rotate)
    expected = sorted(map(float, given), reverse=True)
    assert data.eigenvalues == expected
    assert data.image_shape == (1, 1, len(given))
    for name in SPLITS:
        found = np.linalg.eigvalsh(covariance(data, name))[::-1]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    if not rotate:
        np.testing.assert_allclose(np.diag(covariance(data, "train")), expected, rtol=1e-6, atol=1e-6)


def test_the_linear_theory_reads_the_eigenvalues():
    sample = GaussianData().training_sample().flatten(1).double().numpy()
    np.testing.assert_allclose(spectrum(sample, np.full(6, 0.5)), np.divide(GIVEN, 0.5), rtol=0, atol=1e-5)


def test_splits_differ():
    data = GaussianData()
    train, val, test = (array(data, name) for name in SPLITS)
    for one, other in ((train, val), (train, test), (val, test)):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


def test_pixels_are_gaussian():
    pixels = array(GaussianData(rotate=False, size=20_000), "train") / np.sqrt(GIVEN)
    np.testing.assert_allclose((pixels**3).mean(0), 0, atol=0.1)
    np.testing.assert_allclose((pixels**4).mean(0), 3, atol=0.2)


def test_data_do_not_depend_on_the_seed():
    torch.manual_seed(3)
    one, two = GaussianData(seed=0, size=30, batch_size=10), GaussianData(seed=1, size=30, batch_size=10)
    assert all(one.splits[name].images.equal(two.splits[name].images) for name in SPLITS)
    assert not next(one.train_stream(1)).x.equal(next(two.train_stream(1)).x)
    load.cache_clear()
    again = GaussianData(size=30, batch_size=10)
    assert all(again.splits[name].images.equal(one.splits[name].images) for name in SPLITS)


@pytest.mark.parametrize(
    "wrong", [[], [1, 0], [1, -2], [1, float("nan")], [float("inf")], ["1"], "12", [True], [None], None, 4], ids=str
)
def test_bad_eigenvalues_are_refused(wrong):
    with pytest.raises(ValueError, match=r"^eigenvalues=.*: must be a non-empty list of finite numbers > 0$"):
        GaussianData(wrong)


@pytest.mark.parametrize(
    ("count", "size", "least"), [(6, 9, 10), (12, 12, 13), (6, 0, 10), (6, 20.0, 10), (6, True, 10)]
)
def test_too_few_images_are_refused(count, size, least):
    with pytest.raises(ValueError, match=rf"^size={size}: must be a whole number >= {least}$"):
        GaussianData([1.0] * count, size=size, batch_size=1)


def test_one_image_more_than_pixels_is_enough():
    data = GaussianData([1.0] * 12, size=13, batch_size=1)
    np.testing.assert_allclose(covariance(data, "test"), np.eye(12), rtol=0, atol=1e-5)


def test_binarisation_is_refused():
    with pytest.raises(ValueError, match=r"binarize=static: needs pixels in \[0, 1\]"):
        GaussianData(binarize="static")


def test_config_builds_and_names_its_mistakes(compose_config):
    check(compose_config("data=gaussian", "likelihood=gaussian"))
    with pytest.raises(ConfigError, match=r"^data\.eigenvalues=\[1, 0\]: must be"):
        check(compose_config("data=gaussian", "likelihood=gaussian", "data.eigenvalues=[1,0]"))
    with pytest.raises(ConfigError, match=r"^data\.size=5: must be"):
        check(compose_config("data=gaussian", "likelihood=gaussian", "data.size=5"))
