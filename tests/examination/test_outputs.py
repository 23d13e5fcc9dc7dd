"""Every form of what a decoder gives is read; an average is told from a sum."""

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal
from torch.nn import functional

from vae_lab.checks import ArgumentError
from vae_lab.elbo import likelihoods
from vae_lab.examination.outputs import from_pixels, named, read_output
from vae_lab.examination.recognition import recognise

X = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
HAT = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("output", [HAT, {"reconstruction": HAT}, (HAT, X[:2]), {"sample": HAT, "other": X}])
def test_the_tensor_is_found(output):
    assert read_output(output).equal(HAT)


def test_a_pair_is_a_gaussian_and_a_word_is_refused():
    assert isinstance(read_output((HAT, X)), Normal)
    with pytest.raises(ArgumentError, match="decode=gives a str: must give a tensor"):
        read_output("x")


def test_distributions_that_theory_knows_become_ours():
    likelihood, params = named(Independent(Normal(HAT, torch.full_like(HAT, 0.3)), 3))
    assert likelihood.variance == pytest.approx(0.09) and params.equal(HAT)
    likelihood, params = named(Bernoulli(logits=HAT))
    assert isinstance(likelihood, likelihoods.Bernoulli) and params.equal(HAT)
    assert named(Normal(HAT, X + 0.1)) is None


@pytest.mark.parametrize("likelihood", [likelihoods.Bernoulli(), likelihoods.ContinuousBernoulli()])
def test_pixels_are_the_mean_of_what_they_become(likelihood):
    torch.testing.assert_close(likelihood(from_pixels(likelihood, HAT)).mean.float(), HAT, rtol=1e-3, atol=1e-4)


def test_certain_pixels_stay_finite():
    params = from_pixels(likelihoods.Bernoulli(), torch.tensor([0.0, 1.0]))
    assert params.isfinite().all()


COSTS = {
    "bce": lambda: functional.binary_cross_entropy(HAT, X, reduction="none"),
    "mse": lambda: functional.mse_loss(HAT, X, reduction="none"),
    "l1": lambda: functional.l1_loss(HAT, X, reduction="none"),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_a_mean_is_told_from_a_sum(cost, reduce):
    params = {"bernoulli": from_pixels(likelihoods.Bernoulli(), HAT), "gaussian": HAT, "laplace": HAT}
    found = recognise(getattr(COSTS[cost]().flatten(1), reduce)(1), params, X)
    assert found.averaged == (reduce == "mean")
    assert found.weight == pytest.approx(1, rel=1e-3)
    if cost == "mse":
        assert found.likelihood.variance == pytest.approx(0.5, rel=1e-3)


def test_a_weight_of_the_distortion_is_found_and_another_cost_is_not():
    params = {"bernoulli": from_pixels(likelihoods.Bernoulli(), HAT), "gaussian": HAT}
    assert recognise(10 * COSTS["bce"]().flatten(1).sum(1), params, X).weight == pytest.approx(10, rel=1e-3)
    assert recognise((HAT - X).abs().flatten(1).amax(1), params, X) is None
