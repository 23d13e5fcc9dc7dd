"""EpsilonDeltaCollapse: fractions of images, and both inequalities at their boundary."""

import math

import pytest
import torch
from torch import nn

from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.metrics import EpsilonDeltaCollapse, below
from vae_lab.models import VAE

EPSILON = 0.01


def rates(*counts, n=100, dtype=torch.float64):
    """Rates (n, D) where ``counts`` images of each dimension, in seeded order, lie below ε and the others far above."""
    columns = []
    for seed, count in enumerate(counts):
        column = torch.full((n,), 50.0, dtype=dtype)
        column[torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:count]] = EPSILON / 2
        columns.append(column)
    return torch.stack(columns, 1)


def measured(rate, sizes=None, **options):
    metric = EpsilonDeltaCollapse(rate.shape[1], **options)
    for part in rate.split(sizes or len(rate)):
        metric.update(part)
    return metric.compute()


def test_fractions_are_exact():
    assert below(rates(0, 1, 37, 99, 100), EPSILON).tolist() == [0, 0.01, 0.37, 0.99, 1]
    assert below(rates(3, n=7), EPSILON).item() == pytest.approx(3 / 7, abs=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rate_of_exactly_epsilon_is_not_below_it(dtype):
    at = torch.tensor([[EPSILON]], dtype=dtype)
    under = torch.nextafter(at, torch.zeros_like(at))
    assert below(torch.cat([at, under], 1), EPSILON).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("n", "delta"), [(100, 0.01), (1000, 0.01), (10_000, 0.01), (10, 0.7), (100, 0.29), (30, 0.1), (7, 0.0), (3, 1.0)]
)
def test_exactly_one_minus_delta_of_the_images_is_enough_and_one_less_is_not(n, delta):
    enough = n - round(delta * n)
    figures = measured(rates(enough, max(enough - 1, 0), min(enough + 1, n), n=n), delta=delta)
    assert figures["below_epsilon_dim"][0].item() == pytest.approx(1 - delta, abs=1e-12)
    assert figures["collapsed_units"] == (3 if enough == 0 else 2)


@pytest.mark.parametrize("sizes", [[1000], [300, 300, 300, 100], [997, 3], [3, 997], [1] * 1000], ids=len)
def test_every_image_counts_once_however_the_split_is_cut(sizes):
    rate = rates(990, 989, 500, 0, n=1000).sort(0).values  # so that batches differ
    figures = measured(rate, sizes)
    assert figures["below_epsilon_dim"].tolist() == pytest.approx([0.99, 0.989, 0.5, 0], abs=1e-12)
    assert figures["collapsed_units"] == 1


def test_figures_have_their_shapes_and_types():
    figures = measured(rates(5, 100).float(), [60, 40])
    assert {name: tuple(value.shape) for name, value in figures.items()} == {
        "below_epsilon_dim": (2,),
        "collapsed_units": (),
    }
    assert figures["below_epsilon_dim"].dtype == torch.float64


def test_mean_rate_does_not_decide():
    """A few images that spend much raise the mean, not the fraction; the reverse is no collapse either."""
    few, all_a_little = torch.zeros(1000), torch.full((1000,), 0.02)
    few[:10] = 1e4
    figures = measured(torch.stack([few, all_a_little], 1))
    assert figures["below_epsilon_dim"].tolist() == pytest.approx([0.99, 0], abs=1e-12)
    assert figures["collapsed_units"] == 1
    assert measured(torch.stack([few, all_a_little], 1), epsilon=0.03)["collapsed_units"] == 2


def test_rates_that_are_no_numbers_are_not_below():
    assert measured(torch.full((5, 2), math.nan))["collapsed_units"] == 0


def test_reset_forgets():
    metric = EpsilonDeltaCollapse(1)
    metric.update(rates(0))
    metric.reset()
    metric.update(rates(100))
    assert metric.compute()["below_epsilon_dim"] == 1


class Scaled(nn.Module):
    """Mean: the pixels times ``gain``; log σ² fixed."""

    def __init__(self, gain, log_variance):
        super().__init__()
        self.gain, self.log_variance = torch.tensor(gain), torch.tensor(log_variance)

    def forward(self, x):
        mean = self.gain * x.flatten(1)
        return mean, self.log_variance.expand_as(mean)


def test_rates_of_a_model_whose_dimensions_are_known():
    """KL = ½μ² at σ = 1: below .01 where |μ| < .1414; the third dimension has a rate that no image moves."""
    x = torch.zeros(200, 1, 1, 3)
    x[:2, 0, 0, 0], x[:3, 0, 0, 1] = 0.15, 0.15
    x[2:, 0, 0, 0], x[3:, 0, 0, 1] = 0.14, 0.14
    encoder = Scaled([1.0, 1.0, 0.0], [0.0, 0.0, -4.0])
    model = VAE(encoder=encoder, decoder=nn.Unflatten(1, (1, 1, 3)), likelihood=Gaussian(1.0), latent_dim=3)
    figures = measured(model.test_step(x, 0).terms.rate, [64, 64, 64, 8])
    assert figures["below_epsilon_dim"].tolist() == pytest.approx([0.99, 0.985, 0], abs=1e-12)
    assert figures["collapsed_units"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon=0.0: must be a finite number > 0"),
        ({"delta": -0.1}, "delta=-0.1: must be a finite number >= 0 and <= 1"),
        ({"delta": 1.1}, "delta=1.1: must be a finite number >= 0 and <= 1"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        EpsilonDeltaCollapse(2, **options)
