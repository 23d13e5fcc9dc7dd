"""ImportanceWeightedNLL: the log of a mean of weights, in the right order."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from vae_lab.metrics import ImportanceWeightedNLL, importance_weighted_nll


def log_weights(k, n, seed=0):
    return 3 * torch.randn(k, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 90


@pytest.mark.parametrize("k", [1, 2, 100])
def test_equals_scipy(k):
    weights = log_weights(k, 7)
    expected = -(logsumexp(weights.numpy(), axis=0) - np.log(k))
    np.testing.assert_allclose(importance_weighted_nll(weights), expected, rtol=1e-12)


def test_by_hand():
    weights = torch.tensor([[1.0, 2.0], [3.0, 6.0]]).log()
    assert importance_weighted_nll(weights).tolist() == pytest.approx([-math.log(2), -math.log(4)])


def test_survives_weights_that_underflow():
    weights = torch.full((50, 3), -2000.0)
    assert importance_weighted_nll(weights).tolist() == pytest.approx([2000.0] * 3)


def test_one_sample_is_the_negative_elbo():
    weights = log_weights(1, 9)
    torch.testing.assert_close(importance_weighted_nll(weights), -weights[0])


def test_never_above_the_mean_of_single_samples():
    weights = log_weights(20, 300)
    assert (importance_weighted_nll(weights) < -weights.mean(0)).all()


@pytest.mark.parametrize("sizes", [[103], [50, 50, 3], [1] * 103], ids=len)
def test_metric_averages_over_images_however_the_split_is_cut(sizes):
    weights = log_weights(5, 103)
    metric = ImportanceWeightedNLL()
    for part in weights.split(sizes, dim=1):
        metric.update(part.float())
    nll = metric.compute()["nll"]
    assert nll.dtype == torch.float64
    assert nll.item() == pytest.approx(importance_weighted_nll(weights).mean().item(), rel=1e-6)


@pytest.mark.parametrize("k", [1, 10, 1000])
def test_equal_weights_give_themselves_for_any_k(k):
    weights = torch.tensor([-1.5, -700.0, 3.0], dtype=torch.float64)
    np.testing.assert_allclose(importance_weighted_nll(weights.expand(k, 3)), -weights, rtol=1e-14)


@pytest.mark.parametrize("k", [1, 50, 1000])
def test_float32_weights_are_summed_in_float64(k):
    """What is left is the rounding of the weights themselves: 2⁻²⁴ of about 90 nats each."""
    weights = log_weights(k, 20)
    metric = ImportanceWeightedNLL()
    metric.update(weights.float())
    expected = importance_weighted_nll(weights).mean().item()
    assert metric.compute()["nll"].item() == pytest.approx(expected, abs=1e-5)
    rounded = importance_weighted_nll(weights.float().double()).mean().item()
    assert metric.compute()["nll"].item() == pytest.approx(rounded, rel=1e-14)
