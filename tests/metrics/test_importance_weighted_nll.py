"""ImportanceWeightedNLL: the log of a mean of weights, in the right order."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from vae_lab.metrics import ImportanceWeightedNLL, importance_weighted_nll


def log_weights(k, n, seed=0):
    return 3 * torch.randn(k, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 90


def measured(weights, sizes, asked=None, bound=None, **options):
    """The metric's figure where the weights (K, N) are these; ``asked`` notes how many samples were asked for."""
    return figures_of(weights, sizes, asked, bound, **options)["nll"]


def figures_of(weights, sizes, asked=None, bound=None, **options):
    """All figures, where ``bound`` (N,) are the images' negative ELBOs."""
    bound = torch.zeros(weights.shape[1]) if bound is None else bound

    def some(x, indices, samples):
        assert x[:, 0, 0, 0].equal(indices.float())
        if asked is not None:
            asked.append(len(samples))
        return weights[samples][:, indices]

    metric = ImportanceWeightedNLL(some, k=len(weights), **options)
    for indices in torch.arange(weights.shape[1]).split(sizes):
        x = indices.float().view(-1, 1, 1, 1)
        metric.update(x, indices, rate=torch.ones(len(x), 2), distortion=bound[indices] - 2)
    return metric.compute()


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
    nll = measured(weights.float(), sizes)
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
    nll = measured(weights.float(), [20]).item()
    assert nll == pytest.approx(importance_weighted_nll(weights).mean().item(), abs=1e-5)
    rounded = importance_weighted_nll(weights.float().double()).mean().item()
    assert nll == pytest.approx(rounded, rel=1e-14)


@pytest.mark.parametrize("chunk", [1, 7, 30, 100])
def test_samples_come_in_chunks_and_the_chunks_change_nothing(chunk):
    """Weights over many orders of magnitude, those of a chunk all far below or above those of the others."""
    weights = 40 * log_weights(30, 11)
    asked = []
    nll = measured(weights, [11], asked, chunk=chunk)
    assert nll.item() == pytest.approx(importance_weighted_nll(weights).mean().item(), rel=1e-14)
    assert max(asked) == min(chunk, 30)
    assert sum(asked) == 30


def test_no_samples_no_figure():
    metric = ImportanceWeightedNLL(lambda *_: pytest.fail("was asked for weights"), k=0)
    metric.update(torch.zeros(3, 1, 2, 2), torch.arange(3), torch.zeros(3, 1), torch.zeros(3))
    assert metric.compute() == {}


def some_images(spread, n=1000, k=50):
    """Importance weights (K, N) and negative ELBOs (N,) of images whose likelihoods differ by ``spread`` nats."""
    drawn = torch.randn(n, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    level = 90 + spread * drawn
    weights = log_weights(k, n, seed=4) / 3 + 90 - level  # of spread 1: they tighten the bound by about ½ nat
    return weights, level


def test_some_images_give_the_figure_of_all_to_its_error():
    """The bound is known of all images; what samples add to it hardly differs between them."""
    weights, bound = some_images(spread=30)
    whole = figures_of(weights, [1000], bound=bound)
    some = figures_of(weights, [300, 700], bound=bound, images=100)
    assert (whole["nll_images"], whole["nll_se"]) == (1000, 0)
    assert some["nll_images"] == 100
    assert 0 < some["nll_se"] < 0.05  # that of the plain mean of 100 images is 3 nats
    assert some["nll"].item() == pytest.approx(whole["nll"].item(), abs=3 * some["nll_se"].item())


def test_the_error_covers_the_figure_of_all():
    inside = 0
    weights, bound = some_images(spread=5)
    whole = importance_weighted_nll(weights).mean()
    for shift in range(100):
        order = torch.randperm(1000, generator=torch.Generator().manual_seed(shift))
        some = figures_of(weights[:, order], [1000], bound=bound[order], images=50)
        inside += abs(some["nll"] - whole) < 2 * some["nll_se"]
    assert 88 <= inside <= 100


@pytest.mark.parametrize("images", [None, 103, 200])
def test_all_images_give_the_plain_mean_whatever_the_bound(images):
    weights = log_weights(5, 103)
    figures = figures_of(weights, [50, 53], bound=torch.arange(103.0), images=images)
    assert figures["nll"].item() == pytest.approx(importance_weighted_nll(weights).mean().item(), rel=1e-12)
    assert figures["nll_images"] == 103


@pytest.mark.parametrize("k", [-1, 2.5, True])
def test_bad_numbers_of_samples_are_refused(k):
    with pytest.raises(ValueError, match=f"k={k}: must be a whole number >= 0"):
        ImportanceWeightedNLL(lambda *_: torch.zeros(1), k=k)
