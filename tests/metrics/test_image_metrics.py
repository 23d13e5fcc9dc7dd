"""PSNR, SSIM and bits per dimension against torchmetrics and by hand."""

import math

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from vae_lab.metrics import PSNR, SSIM, BitsPerDim, ssim


def pair(n, *shape, scale=1.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, *shape, generator=generator, dtype=dtype)
    x[:, :, : shape[1] // 2] = 0  # flat areas, where the variances cancel
    return scale * (x + 0.2 * torch.rand(n, *shape, generator=generator, dtype=dtype)), scale * x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 11, 40), (2, 12, 11)])
def test_ssim_equals_torchmetrics(shape, dtype):
    reconstruction, x = pair(9, *shape, dtype=dtype)
    expected = structural_similarity_index_measure(reconstruction, x, data_range=1.0, reduction="none")
    tolerance = 2e-6 if dtype == torch.float32 else 1e-7  # its window is float32 inside whatever the images are
    torch.testing.assert_close(ssim(reconstruction, x, 1.0), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 7, 7), (3, 10, 28)])
def test_ssim_of_small_images_takes_the_uniform_window(shape):
    reconstruction, x = pair(9, *shape, scale=4.0)
    options = {"gaussian_kernel": False, "kernel_size": 7, "data_range": 4.0, "reduction": "none"}
    expected = structural_similarity_index_measure(reconstruction, x, **options)
    torch.testing.assert_close(ssim(reconstruction, x, 4.0), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("sizes", [[50], [20, 20, 10], [1] * 50], ids=len)
def test_image_metrics_are_over_the_whole_split_however_it_is_cut(sizes):
    reconstruction, x = pair(50, 1, 28, 28)
    metrics = SSIM(data_range=1.0), PSNR(data_range=1.0)
    for part in zip(reconstruction.split(sizes), x.split(sizes), strict=True):
        for metric in metrics:
            metric.update(*part)
    expected = structural_similarity_index_measure(reconstruction, x, data_range=1.0)
    assert metrics[0].compute()["ssim"].item() == pytest.approx(expected.item(), abs=1e-6)
    expected = peak_signal_noise_ratio(reconstruction, x, data_range=1.0)
    assert metrics[1].compute().item() == pytest.approx(expected.item(), abs=1e-4)


def test_ssim_declares_the_images_that_no_window_fits_into():
    assert [SSIM.applies(None, (1, size, 40)) for size in (6, 7, 28)] == [False, True, True]


@pytest.mark.parametrize("sizes", [[30], [20, 10], [1] * 30], ids=len)
def test_bits_per_dim_is_the_elbo_in_bits_of_a_pixel(sizes):
    generator = torch.Generator().manual_seed(0)
    rate, distortion = torch.rand(30, 4, generator=generator), 900 * torch.rand(30, generator=generator)
    metric = BitsPerDim(image_shape=(3, 5, 7))
    for part in zip(rate.split(sizes), distortion.split(sizes), strict=True):
        metric.update(*part)
    nats = (rate.double().sum(1) + distortion.double()).mean().item()
    assert metric.compute()["bits_per_dim"].item() == pytest.approx(nats / math.log(2) / 105, rel=1e-12)
