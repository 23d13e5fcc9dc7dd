"""ActiveUnits: the number of posterior means that move with the image."""

import pytest
import torch
from torch import nn

from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.metrics import ActiveUnits, active_units
from vae_lab.models import VAE


def means(variances, n=1000):
    """Means (N, D) with exactly these biased variances, and large offsets that must not count."""
    z = torch.randn(n, len(variances), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = (z - z.mean(0)) / z.std(0, correction=0)
    return 7 + z * torch.tensor(variances, dtype=torch.float64).sqrt()


@pytest.mark.parametrize(
    ("variances", "active"),
    [
        ([0, 0, 0], 0),
        ([1, 0.5, 0.02], 3),
        ([0.0099, 0.0101, 1, 0], 2),
        ([0.05, 0.09, 0.001], 2),  # a threshold on the standard deviation would count three
    ],
)
def test_counts_the_variances_above_the_threshold(variances, active):
    assert active_units(means(variances)) == active


def test_variance_is_the_biased_one():
    mean = torch.tensor([[0.0], [0.19]])  # variance .009025 with 1/N, .01805 with 1/(N-1)
    assert active_units(mean) == 0
    assert active_units(mean, threshold=0.009) == 1


def test_threshold_is_an_argument():
    assert [active_units(means([1, 0.5, 0.02]), threshold=t) for t in (0.01, 0.1, 0.7, 2)] == [3, 2, 1, 0]


@pytest.mark.parametrize("sizes", [[1000], [300, 300, 300, 100], [1] * 1000], ids=len)
def test_variance_is_over_the_whole_split(sizes):
    metric = ActiveUnits()
    for part in means([1, 0.0101, 0.0099, 0]).split(sizes):
        metric.update(part)
    assert metric.compute()["active_units"] == 2


def test_means_that_move_only_between_batches_count():
    metric = ActiveUnits()
    for level in (0.0, 1.0):
        metric.update(torch.full((10, 1), level))
    assert metric.compute()["active_units"] == 1


class LinearOptimum(nn.Module):
    """The best encoder of independent pixels with variances λ at water level τ: Var(μ_i) = 1 - τ/λ_i, or 0."""

    def __init__(self, lambdas, tau):
        super().__init__()
        kept = (1 - tau / lambdas).clamp(min=0)
        self.gain, self.log_variance = (kept / lambdas).sqrt(), torch.where(kept > 0, tau / lambdas, 1.0).log()

    def forward(self, x):
        mean = self.gain * x.flatten(1)
        return mean, self.log_variance.expand_as(mean)


@pytest.mark.parametrize(("tau", "active"), [(0.3, 4), (0.6, 3), (5.0, 0), (0.498, 3), (0.494, 4)])
def test_linear_optimum_has_the_units_that_the_water_level_leaves(tau, active):
    """λ = .5 is above τ = .498 but its mean has the variance .004 <= .01: not active; at τ = .494 it has .012."""
    lambdas = torch.tensor([4, 2, 1, 0.5, 0.2], dtype=torch.float64)
    x = ((means([1] * 5) - 7) * lambdas.sqrt())[:, None, None, :]  # the 1/N variances are exactly λ
    encoder, decoder = LinearOptimum(lambdas, tau), nn.Unflatten(1, (1, 1, 5))
    model = VAE(encoder=encoder, decoder=decoder, likelihood=Gaussian(1.0), latent_dim=5)
    metric = ActiveUnits()
    for index, part in enumerate(x.split(300)):
        metric.update(model.test_step(part, index).terms.mean)
    assert metric.compute()["active_units"] == active
