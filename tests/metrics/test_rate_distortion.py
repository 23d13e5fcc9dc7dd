"""RateDistortion: figures of a whole split, however it is cut into batches."""

import pytest
import torch

from vae_lab.metrics import RateDistortion

N, D = 103, 4
SPLITS = [[103], [50, 50, 3], [1] * 103, [100, 3], [3, 100]]


def split():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(N, D, generator=generator), 100 * torch.rand(N, generator=generator)


def measured(sizes):
    rate, distortion = split()
    metric = RateDistortion(D)
    for r, d in zip(rate.split(sizes), distortion.split(sizes), strict=True):
        metric.update(2 * r.sum(1).mean() + d.mean(), r, d)
    return metric.compute()


@pytest.mark.parametrize("sizes", SPLITS, ids=lambda sizes: f"{len(sizes)}_batches_from_{sizes[0]}")
def test_every_image_counts_once_however_the_split_is_cut(sizes):
    rate, distortion = (part.double() for part in split())
    figures = measured(sizes)
    assert figures["rate"].item() == pytest.approx(rate.sum(1).mean().item(), rel=1e-6)
    assert figures["distortion"].item() == pytest.approx(distortion.mean().item(), rel=1e-6)
    assert figures["elbo"].item() == pytest.approx(-(rate.sum(1) + distortion).mean().item(), rel=1e-6)
    assert figures["loss"].item() == pytest.approx((2 * rate.sum(1) + distortion).mean().item(), rel=1e-6)
    torch.testing.assert_close(figures["rate_dim"], rate.mean(0), rtol=1e-6, atol=0)


def test_figures_are_in_float64_with_their_shapes():
    figures = measured([103])
    assert {value.dtype for value in figures.values()} == {torch.float64}
    assert {name: tuple(value.shape) for name, value in figures.items()} == {
        "elbo": (),
        "rate": (),
        "distortion": (),
        "loss": (),
        "rate_dim": (D,),
    }


def test_many_batches_lose_no_digits():
    metric = RateDistortion(1)
    for _ in range(3000):
        metric.update(torch.tensor(0.1), torch.full((7, 1), 1e-4), torch.full((7,), 1234.5))
    figures = metric.compute()
    assert figures["distortion"].item() == pytest.approx(1234.5, rel=1e-12)
    assert figures["rate"].item() == pytest.approx(torch.tensor(1e-4).item(), rel=1e-12)


def test_reset_forgets():
    rate, distortion = split()
    metric = RateDistortion(D)
    metric.update(torch.tensor(9.0), rate + 5, distortion)
    metric.reset()
    metric.update(torch.tensor(1.0), rate, distortion)
    assert metric.compute()["rate"].item() == pytest.approx(rate.sum(1).mean().item(), rel=1e-6)
    assert metric.compute()["loss"].item() == 1
