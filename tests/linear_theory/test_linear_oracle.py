"""Real trainings of ``+experiment=linear_oracle`` end where the closed forms say: rates, distortion, collapse, σ²."""

import math

import numpy as np
import pytest
import torch

from vae_lab.config.compose import compose_config
from vae_lab.elbo.penalties import PlainPenalty
from vae_lab.linear_theory import prediction
from vae_lab.linear_theory.closed_forms import linear_optimum
from vae_lab.linear_theory.linear_vae import LinearVAE
from vae_lab.linear_theory.prediction import theory
from vae_lab.training.assembly import assemble
from vae_lab.training.loading import load
from vae_lab.training.run import execute

LAMBDAS = np.array([4, 2, 1, 0.5, 0.2, 0.1])
SIGMA2 = 0.3
CONSTANT = 0.5 * 6 * math.log(2 * math.pi * SIGMA2)
FAST = ("optimizer.lr=0.05", "trainer.max_steps=500", "trainer.val_check_interval=500")
DIAGONAL = ("encoder.diagonal=true", "decoder.diagonal=true", "data.rotate=false")
FREE_BITS = ("free_bits=dimension", "free_bits.epsilon=0.8")
BN = ("model=bn_vae", "model.gamma=0.6")
LEARNED = ("likelihood=gaussian_learned", "model.latent_dim=3", "likelihood.variance=0.4")


def train(directory, *overrides):
    return execute(compose_config(["+experiment=linear_oracle", "metrics.test.nll.k=0", *overrides]), directory, {})


def assert_agrees(result, collapsed, rates=None):
    """The criterion: the total rate within 2 % and 0.02 nats per dimension, and distortion and collapse accordingly."""
    metrics, known = result.metrics, result.theory
    assert known.exact
    expected = known.rate_dim
    assert expected == sorted(expected, reverse=True)
    if rates is not None:
        assert expected == pytest.approx(rates, abs=6e-4)
    slack = 0.02 * sum(expected) + 0.02 * len(expected)
    assert metrics["test/rate"] == pytest.approx(sum(expected), abs=slack)
    assert sorted(metrics["test/rate_dim"], reverse=True) == pytest.approx(expected, abs=0.05)
    assert metrics["test/distortion"] == pytest.approx(known.distortion, abs=slack)
    assert result.unused == known.collapsed == collapsed
    assert result.linear_rate == pytest.approx(sum(expected))


@pytest.mark.parametrize(
    ("beta", "rates", "collapsed"),
    [(1, [1.2951, 0.9486, 0.6020, 0.2554, 0], 1), (2, [0.9486, 0.6020, 0.2554, 0, 0], 2)],
)
def test_beta(tmp_path, beta, rates, collapsed):
    result = train(tmp_path, f"model.beta={beta}", *FAST)
    assert_agrees(result, collapsed, rates)
    assert result.theory.squared_error == pytest.approx(1.5 if beta == 1 else 2.6, abs=1e-4)
    assert result.theory.eigenvalues == pytest.approx(LAMBDAS, abs=1e-4)


def test_a_run_computes_one_spectrum(tmp_path, monkeypatch):
    calls = []
    real = prediction.spectrum
    monkeypatch.setattr(prediction, "spectrum", lambda *given: calls.append(given) or real(*given))
    result = train(tmp_path, "trainer.max_steps=10", "trainer.val_check_interval=10")
    assert len(calls) == 1
    assert result.objective.spectrum == pytest.approx(LAMBDAS[:5] / SIGMA2, rel=1e-4)


def assert_variance(result, variance):
    assert_agrees(result, 0)
    assert result.theory.variance == pytest.approx(variance, abs=1e-4)
    assert result.objective.variance == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize(("beta", "variance", "steps"), [(1, 0.26667, 500), (1.5, 0.53333, 1000)])
def test_learned_variance(tmp_path, beta, variance, steps):
    result = train(tmp_path, *LEARNED, f"model.beta={beta}", *FAST, f"trainer.max_steps={steps}")
    assert_variance(result, variance)


def test_optimal_variance(tmp_path):
    assert_variance(train(tmp_path, "likelihood=gaussian_optimal", "model.latent_dim=3", *FAST), 0.26667)


def test_free_bits_of_diagonal_networks(tmp_path):
    result = train(tmp_path, *FREE_BITS, *DIAGONAL, *FAST)
    assert_agrees(result, 0, [1.295, 0.949, 0.8, 0.8, 0.8])
    assert min(result.metrics["test/rate_dim"]) >= 0.78
    assert exact_loss(tmp_path) == pytest.approx(6.382, abs=0.01)


def test_bn_of_diagonal_networks(tmp_path):
    assert_agrees(train(tmp_path, *BN, *DIAGONAL, *FAST), 0)
    assert exact_loss(tmp_path) == pytest.approx(6.0705, abs=0.01)


def exact_loss(directory):
    """The loss of a trained model in expectation over noise, without the Gaussian's constant."""
    model = load(directory)
    x = torch.from_numpy(whole_split(model)).float()
    with torch.no_grad():
        mean, stddev = model.posterior(x)
        spread = (stddev.square() * model.decoder.weight.square().reshape(-1, model.latent_dim).sum(0)).sum(1)
        error = (x - model.predict(mean, x)).square().flatten(1).sum(1) + spread
        penalty = model.penalty(model.prior.rate(mean, stddev))
    return float(error.mean() / 2 / SIGMA2 + penalty)


def whole_split(model):
    """The training images (N, 1, 1, P) of the experiment, on the axes where the networks are diagonal."""
    from vae_lab.data import GaussianData

    return GaussianData(rotate=model.encoder.weight.ndim == 2).splits["train"].images.numpy()


def test_free_networks_share_directions_and_end_below_the_formula_of_free_bits(tmp_path):
    result = train(tmp_path, *FREE_BITS, *FAST)
    assert not result.theory.exact
    assert min(result.metrics["test/rate_dim"]) >= 0.78
    assert 6.2 < exact_loss(tmp_path) < 6.382


@pytest.mark.slow
def test_free_networks_share_directions_and_end_below_the_formula_of_bn(tmp_path):
    result = train(tmp_path, *BN)
    assert not result.theory.exact
    assert min(result.metrics["test/rate_dim"]) >= 0.18
    assert 6.03 < exact_loss(tmp_path) < 6.0705


@pytest.mark.parametrize(
    "other",
    [
        ("encoder=mlp",),
        ("decoder=mlp",),
        ("likelihood=gaussian_learned", *FREE_BITS),
        ("model.distortion_reduction=mean",),
        ("model=info_vae",),
        ("free_bits=sample",),
        ("encoder.diagonal=true",),
    ],
    ids=lambda overrides: overrides[-1],
)
def test_no_theory_where_it_does_not_hold(other):
    parts = assemble(compose_config(["+experiment=linear_oracle", *other]))
    assert not theory(parts.model, parts.data)


def test_diagonal_networks_see_the_pixels_of_rotated_data_one_by_one(tmp_path):
    result = train(tmp_path, *DIAGONAL[:2], *FAST)
    assert sum(result.theory.eigenvalues) == pytest.approx(LAMBDAS.sum(), rel=1e-4)
    assert result.theory.eigenvalues[0] < 3
    assert_agrees(result, result.theory.collapsed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "rates", "collapsed"),
    [
        ((), [1.2951, 0.9486, 0.6020, 0.2554, 0], 1),
        (("model.beta=2",), [0.9486, 0.6020, 0.2554, 0, 0], 2),
        ((*FREE_BITS, *DIAGONAL), [1.295, 0.949, 0.8, 0.8, 0.8], 0),
        ((*BN, *DIAGONAL), None, 0),
    ],
)
def test_the_experiment_as_it_is(tmp_path, overrides, rates, collapsed):
    assert_agrees(train(tmp_path, *overrides), collapsed, rates)


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "variance"), [(1, 0.26667), (1.5, 0.53333)])
@pytest.mark.parametrize("likelihood", ["gaussian_learned", "gaussian_optimal"])
def test_the_experiment_as_it_is_with_a_variance_that_follows_the_data(tmp_path, beta, variance, likelihood):
    result = train(tmp_path, f"likelihood={likelihood}", "model.latent_dim=3", f"model.beta={beta}")
    assert_variance(result, variance)


AT_CAPACITY = [1.145, 0.798, 0.452, 0.105, 0]


@pytest.mark.slow
def test_capacity(tmp_path):
    result = train(tmp_path, "annealing=capacity", "annealing.capacity=2.5", "annealing.gamma=10")
    assert_agrees(result, 1, AT_CAPACITY)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["control=pi control.target=2.5", "free_bits=adaptive free_bits.target=2.5"])
def test_controlled_rate(tmp_path, law):
    result = train(tmp_path, *law.split())
    assert_agrees(result, 1, AT_CAPACITY)
    assert result.objective.price == pytest.approx(1.3506, rel=0.1)


@pytest.mark.slow
def test_geco(tmp_path):
    target = linear_optimum(PlainPenalty(), LinearVAE(LAMBDAS, SIGMA2, 2.0, 5)).distortion
    result = train(tmp_path, "control=geco", f"control.target={target}")
    assert_agrees(result, 2, [0.9486, 0.6020, 0.2554, 0, 0])
    assert result.objective.price == pytest.approx(2.0, rel=0.1)  # τ/σ², their multiplier is 1/2τ
