import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, laplace

from vae_lab.metrics import Sharpness, laplacian_variance


def test_it_is_the_variance_of_scipys_laplacian_inside_the_border():
    x = torch.rand(3, 2, 9, 7, dtype=torch.float64)
    expected = [np.var([laplace(channel)[1:-1, 1:-1] for channel in image]) for image in x.numpy()]
    np.testing.assert_allclose(laplacian_variance(x), expected)


def test_blur_lowers_it():
    sharp = torch.rand(4, 1, 16, 16)
    blurred = torch.from_numpy(np.stack([gaussian_filter(image, (0, 1, 1)) for image in sharp.numpy()]))
    metric = Sharpness(lambda count: [blurred[:count]], count=4)
    metric.update(sharp, sharp)
    found = metric.compute()
    assert found["sharpness"] == pytest.approx(1) and found["sharpness_samples"] < 0.1
    assert found["sharpness_data"] == pytest.approx(float(laplacian_variance(sharp).mean()))


def test_batches_do_not_change_it():
    x, y = torch.rand(10, 3, 8, 8), torch.rand(10, 3, 8, 8)
    whole, parts = (Sharpness(lambda count: [], count=0) for _ in range(2))
    whole.update(y, x)
    for i in (slice(0, 3), slice(3, 10)):
        parts.update(y[i], x[i])
    assert whole.compute()["sharpness"].item() == pytest.approx(parts.compute()["sharpness"].item())
    assert "sharpness_samples" not in whole.compute()


def test_a_row_of_pixels_has_none():
    assert not Sharpness.applies(None, (1, 1, 6)) and Sharpness.applies(None, (1, 3, 3))
