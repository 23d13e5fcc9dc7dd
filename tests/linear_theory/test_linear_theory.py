"""The closed forms of the linear VAE against their fixture, and against numerical minimisation of the loss itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from vae_lab.elbo.controllers import Adaptive, Geco, ProportionalIntegral
from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.elbo.penalties import CapacityPenalty, ControlledPenalty, FreeBitsPenalty, PlainPenalty
from vae_lab.linear_theory.closed_forms import batch_normalised, closed_form, linear_optimum
from vae_lab.linear_theory.linear_vae import LinearVAE, learned_variance
from vae_lab.linear_theory.water_filling import level_of_error, level_of_rate, water_filling
from vae_lab.models import BNVAE, VAE, BetaVAE, InfoVAE
from vae_lab.networks import LinearDecoder, LinearEncoder

LAMBDAS = np.array([4, 2, 1, 0.5, 0.2, 0.1])
SIGMA2, Q = 0.3, 5
CONSTANT = 0.5 * 6 * math.log(2 * math.pi * SIGMA2)  # what a Gaussian adds to every distortion

spectra = st.lists(st.floats(0.05, 20), min_size=2, max_size=7).map(lambda e: np.array(sorted(e, reverse=True)))
prices = st.floats(0.1, 8)


def optimum(objective=None, beta=1.0, variance=SIGMA2, q=Q, eigenvalues=LAMBDAS):
    return linear_optimum(objective or PlainPenalty(), LinearVAE(eigenvalues, variance, beta, q))


def model(kind, penalty=None, **options):
    """A model with linear networks; a remedy's penalty may take the place of its own."""
    shape = (1, 1, len(LAMBDAS))
    networks = {"encoder": LinearEncoder(shape, Q), "decoder": LinearDecoder(shape, Q)}
    made = kind(likelihood=Gaussian(SIGMA2), latent_dim=Q, **networks, **options)
    made.penalty = penalty or made.penalty
    return made


def fill(e, level):
    return water_filling(e, level).rates


def rates_of(penalty, e, beta):
    """The rates (D,) of as many latents as there are directions, in units of σ²."""
    return optimum(penalty, beta, 1.0, len(e), e).rates


def distortion(e, rates):
    """Half the squared error in units of σ²."""
    return 0.5 * (e * np.exp(-2 * rates)).sum()


def least(loss, starts, bounds):
    """The least loss that numerical minimisation finds."""
    return minimize(loss, starts, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}).fun


def least_by_quanta(e, cost, quantum=1e-3):
    """The least distortion + cost(R) when the rate R is given out by quanta, each to the direction it saves most in."""
    steps = np.exp(-2 * quantum * np.arange(12_000))
    savings = np.sort((0.5 * e[:, None] * (steps[:-1] - steps[1:])).ravel())[::-1]
    left = 0.5 * e.sum() - np.concatenate([[0], np.cumsum(savings)])
    return (left + cost(quantum * np.arange(len(left)))).min()


@pytest.mark.parametrize(
    ("beta", "variance", "rates", "error"),
    [
        (1.0, 0.3, [1.2951, 0.9486, 0.6020, 0.2554, 0], 1.5),
        (2.0, 0.3, [0.9486, 0.6020, 0.2554, 0, 0], 2.6),
        (1.0, 5.0, [0, 0, 0, 0, 0], 7.8),
    ],
)
def test_plain_fixture(beta, variance, rates, error):
    best = optimum(beta=beta, variance=variance)
    assert best.rates == pytest.approx(rates, abs=5e-5)
    assert best.squared_error == pytest.approx(error, abs=1e-9)
    assert best.collapsed == rates.count(0)
    assert best.distortion == pytest.approx(error / 2 / variance + 3 * math.log(2 * math.pi * variance), abs=1e-9)


def test_free_bits_fixture():
    best = optimum(FreeBitsPenalty("dimension", 0.8))
    assert best.rates == pytest.approx([1.295, 0.949, 0.8, 0.8, 0.8], abs=5e-4)
    assert best.distortion + best.rates.sum() - CONSTANT == pytest.approx(6.382, abs=5e-4)
    assert best.collapsed == 0


def test_capacity_fixture():
    best = optimum(CapacityPenalty(2.5, 10))
    assert best.rates == pytest.approx([1.145, 0.798, 0.452, 0.105, 0], abs=5e-4)
    tau = LAMBDAS[0] * math.exp(-2 * best.rates[0])
    assert tau == pytest.approx(0.4052, abs=5e-5)
    assert tau / SIGMA2 == pytest.approx(1.3506, abs=5e-5)  # the weight that holds it there
    assert best.rates == pytest.approx(optimum(beta=tau / SIGMA2).rates)
    assert best.collapsed == 1


@pytest.mark.parametrize(("used", "switch_on"), [(1, 0.3466), (2, 1.0397), (3, 2.0794), (4, 3.9120)])
def test_dimensions_switch_on_one_by_one(used, switch_on):
    assert optimum(CapacityPenalty(switch_on - 1e-4)).collapsed == Q - used
    assert optimum(CapacityPenalty(switch_on + 1e-4)).collapsed == Q - used - 1


def test_bn_fixture():
    best = optimum(model(BNVAE, gamma=0.6))
    assert best.distortion + best.rates.sum() - CONSTANT == pytest.approx(6.0705, abs=5e-5)
    assert (best.rates > 0.18).all()
    assert batch_normalised(np.zeros(2), 0.6).rates == pytest.approx(0.18, abs=1e-9)  # γ²/2 where there is nothing


@pytest.mark.parametrize(("beta", "variance"), [(1.0, 0.26667), (1.5, 0.53333)])
def test_learned_variance_fixture(beta, variance):
    assert learned_variance(LAMBDAS, beta, 3) == pytest.approx(variance, abs=5e-6)
    best = optimum(beta=beta, variance=learned_variance(LAMBDAS, beta, 3), q=3)
    assert best.squared_error / 6 == pytest.approx(variance, abs=5e-6)  # the optimal σ² is D/d


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_geco_finds_the_optimum_whose_distortion_is_its_target(beta):
    aim = optimum(beta=2.0)
    best = optimum(ControlledPenalty(Geco(target=aim.distortion)), beta)  # whatever weight the controller starts from
    assert best.rates == pytest.approx(aim.rates)
    assert best.squared_error == pytest.approx(2.6)


def test_the_multiplier_of_geco_is_one_over_two_tau():
    error, tau, step = 2.6, 0.6, 1e-5
    rates = [fill(LAMBDAS[:Q], level_of_error(LAMBDAS[:Q], error - 0.1 + d)).sum() for d in (-step, step)]
    assert (rates[0] - rates[1]) / (2 * step) == pytest.approx(1 / (2 * tau), rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(spectra, prices)
def test_water_filling_is_the_least_loss(e, beta):
    rates = fill(e, beta)
    found = least(lambda r: distortion(e, r) + beta * r.sum(), np.ones(len(e)), [(0, None)] * len(e))
    assert found - 1e-6 < distortion(e, rates) + beta * rates.sum() < found + 1e-9


@settings(max_examples=30, deadline=None)
@given(spectra, prices, st.floats(0, 1.5, width=32))
def test_free_bits_are_the_least_loss(e, beta, epsilon):
    """Each rate is at most ε free nats and some that cost β."""
    n, rates = len(e), rates_of(FreeBitsPenalty("dimension", epsilon), e, beta)
    bounds = [*[(0, epsilon)] * n, *[(0, None)] * n]
    found = least(lambda v: distortion(e, v[:n] + v[n:]) + beta * v[n:].sum(), np.full(2 * n, epsilon / 2), bounds)
    loss = distortion(e, rates) + beta * (rates - epsilon).clip(min=0).sum()
    assert found - 1e-6 < loss < found + 1e-6


@settings(max_examples=30, deadline=None)
@given(spectra, prices, st.integers(0, 4000))
def test_free_bits_in_total_are_the_least_loss(e, beta, quanta):
    epsilon = quanta / 1000
    rates = rates_of(FreeBitsPenalty("total", epsilon), e, beta)

    def cost(rate):
        return beta * np.maximum(rate - epsilon, 0)

    loss, found = distortion(e, rates) + cost(rates.sum()), least_by_quanta(e, cost)
    assert found - 1e-3 < loss < found + 1e-5  # ε is held in float32


@settings(max_examples=30, deadline=None)
@given(spectra, prices, st.integers(0, 4000), st.floats(0.2, 10))
def test_capacity_is_the_least_loss_whatever_it_costs(e, beta, quanta, gamma):
    """Where a nat beside C costs less than it saves, γ < τ/σ², more than C is spent."""
    capacity = quanta / 1000
    rates = rates_of(CapacityPenalty(capacity, gamma), e, beta)

    def cost(rate):
        return beta * gamma * abs(rate - capacity)

    loss, found = distortion(e, rates) + cost(rates.sum()), least_by_quanta(e, cost)
    assert found - 1e-3 < loss < found + 3e-5  # C and γ are held in float32


@settings(max_examples=20, deadline=None)
@given(spectra, st.floats(0.05, 1.5))
def test_bn_is_the_least_loss_of_its_networks(e, gamma):
    """Over the posterior variance s² and the decoder's weight w, dimension by dimension."""

    def loss(v, value):
        s, w = np.exp(v[0]), v[1]
        error = value * (1 - w * gamma) ** 2 + value * w**2 * s  # x = √e u, mean γu, decoder √e w
        return 0.5 * error + 0.5 * (gamma**2 + s - 1 - v[0])

    bn = batch_normalised(e, gamma)
    for value, rate, rest in zip(e, bn.rates, bn.errors, strict=True):
        starts = [(start, gamma / (gamma**2 + np.exp(start))) for start in (-6.0, -3.0, -1.0, 0.0)]
        found = min(minimize(loss, start, args=(value,), tol=1e-10).fun for start in starts)
        assert rate + 0.5 * rest == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("e", [3.0, 10.0, 30.0, 1e4, 1e8])
@pytest.mark.parametrize("gamma", [0.05, 0.1, 0.3, 0.6])
def test_bn_finds_the_lower_of_two_minima(e, gamma):
    s = np.exp(np.linspace(math.log(1e-2 * gamma**2 / (gamma**2 + e)), 0, 200_001))
    losses = 0.5 * (e * s / (gamma**2 + s) + gamma**2 + s - 1 - np.log(s))
    bn = batch_normalised(np.array([e]), gamma)
    assert bn.rates[0] + 0.5 * bn.errors[0] == pytest.approx(losses.min(), rel=1e-7)


@settings(max_examples=30, deadline=None)
@given(spectra, prices, st.floats(1.01, 3))
def test_rates_fall_with_beta(e, beta, factor):
    dear, cheap = fill(e, beta * factor), fill(e, beta)
    assert (dear <= cheap).all()
    assert (dear < cheap)[cheap > 1e-9].all()
    assert (np.diff(cheap) <= 0).all()


@settings(max_examples=30, deadline=None)
@given(spectra, st.floats(1e-6, 30))
def test_the_rates_sum_to_the_rate_that_was_asked_for(e, rate):
    assert fill(e, level_of_rate(e, rate)).sum() == pytest.approx(rate, rel=1e-9, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(spectra, st.floats(1e-6, 1))
def test_the_error_is_what_was_asked_for(e, share):
    level = level_of_error(e, share * e.sum())
    assert np.minimum(e, level).sum() == pytest.approx(share * e.sum(), rel=1e-9)
    assert (e * np.exp(-2 * fill(e, level))).sum() == pytest.approx(share * e.sum(), rel=1e-9)


@pytest.mark.parametrize("rate", [1e-12, 1000.0, 1e6])
def test_any_rate_can_be_asked_for(rate):
    controlled = ControlledPenalty(Adaptive(target=rate))
    for penalty in (CapacityPenalty(rate, 10), FreeBitsPenalty("total", rate), controlled):
        assert np.isfinite(optimum(penalty).rates).all()


def test_directions_without_variance_get_nothing():
    e = np.array([4, 2, 0.0, 0.0])
    assert fill(e, level_of_rate(e, 3))[2:].tolist() == [0, 0]
    assert fill(e, level_of_rate(e, 3)).sum() == pytest.approx(3)
    assert np.minimum(e, level_of_error(e, 1)).sum() == pytest.approx(1)


def profile(eigenvalues, beta, q, variance):
    """The loss at σ², all else at its best."""
    best = optimum(None, beta, variance, q, eigenvalues)
    return best.distortion + beta * best.rates.sum()


@settings(max_examples=30, deadline=None)
@given(spectra, prices, st.integers(1, 6))
def test_learned_variance_is_a_root_and_the_least_loss(eigenvalues, beta, q):
    """Also where latents collapse, and where Dβ >= P, of which the formula with all latents in use knows nothing."""
    q = min(q, len(eigenvalues) - 1)
    variance = learned_variance(eigenvalues, beta, q)
    best = optimum(None, beta, variance, q, eigenvalues)
    assert best.squared_error / len(eigenvalues) == pytest.approx(variance, rel=1e-6)
    here = profile(eigenvalues, beta, q, variance)
    for factor in (1e-3, 0.1, 0.5, 0.97, 1.03, 2, 10, 1e3):
        assert here < profile(eigenvalues, beta, q, factor * variance)


def test_learned_variance_when_every_pixel_has_a_latent():
    assert learned_variance(LAMBDAS, 1.0, 6) is None  # σ² goes to 0
    assert learned_variance(LAMBDAS, 0.5, 6) is None
    variance = learned_variance(LAMBDAS, 1.5, 6)  # a rate this dear leaves something
    for factor in (1e-3, 0.9, 1.1, 1e3):
        assert profile(LAMBDAS, 1.5, 6, variance) < profile(LAMBDAS, 1.5, 6, factor * variance)


@pytest.mark.parametrize("law", [Adaptive, ProportionalIntegral])
def test_a_controller_cannot_leave_its_bounds(law):
    free = optimum(ControlledPenalty(law(target=2.5)))
    assert free.rates == pytest.approx(optimum(CapacityPenalty(2.5)).rates)
    weak = optimum(ControlledPenalty(law(target=2.5, high=1.0)))  # it would need 1.3506
    assert weak.rates == pytest.approx(optimum().rates)
    strong = optimum(ControlledPenalty(law(target=3.5, low=1.0, high=5.0)))
    assert strong.rates == pytest.approx(optimum().rates)
    assert optimum(ControlledPenalty(law(target=2.5)), beta=3.0).rates == pytest.approx(free.rates)
    times_beta = optimum(ControlledPenalty(law(target=2.5, high=1.0)), beta=1.2)
    assert times_beta.rates == pytest.approx(optimum(beta=1.2).rates)


def test_geco_pays_no_more_than_its_bounds_allow():
    best = optimum(ControlledPenalty(Geco(target=optimum(beta=2.0).distortion, high=1.5)))
    assert best.rates == pytest.approx(optimum(beta=1.5).rates)


def test_a_target_out_of_reach_has_no_optimum():
    reachable = CONSTANT + 0.5 * 0.1 / SIGMA2  # the sixth direction has no latent
    assert optimum(ControlledPenalty(Geco(target=reachable - 1e-6))) is None
    assert optimum(ControlledPenalty(Geco(target=reachable + 1e-3))).rates.min() > 2
    assert optimum(ControlledPenalty(Geco(target=1e3))).collapsed == Q


def test_what_has_no_closed_form_has_no_optimum():
    assert optimum(FreeBitsPenalty("sample", 0.8)) is None
    assert optimum(model(BNVAE, FreeBitsPenalty("dimension", 0.8), gamma=0.6)) is None
    assert optimum(model(BNVAE, gamma=0.6), beta=2.0) is None
    assert optimum(CapacityPenalty(2.5), eigenvalues=np.zeros(6)) is None
    assert optimum(model(InfoVAE)) is None


@pytest.mark.parametrize("kind", [VAE, BetaVAE])
@pytest.mark.parametrize("penalty", [PlainPenalty(), CapacityPenalty(2.5), FreeBitsPenalty("dimension", 0.8)])
def test_a_plain_model_has_the_form_of_its_penalty(kind, penalty):
    own, of_penalty = optimum(model(kind, penalty)), optimum(penalty)
    assert own.rates.tolist() == of_penalty.rates.tolist()
    assert own.diagonal_only == of_penalty.diagonal_only


@pytest.mark.parametrize(
    ("objective", "diagonal_only"),
    [
        (PlainPenalty(), False),
        (FreeBitsPenalty("total", 0.8), False),
        (FreeBitsPenalty("dimension", 0.8), True),
        (CapacityPenalty(2.5), False),
        (model(BNVAE, gamma=0.6), True),
    ],
)
def test_the_form_says_where_it_holds(objective, diagonal_only):
    assert optimum(objective).diagonal_only is diagonal_only


def test_a_variant_of_a_plain_model_is_not_taken_for_one():
    class Variant(BetaVAE):
        pass

    assert optimum(model(BetaVAE)) is not None
    assert optimum(model(Variant)) is None


def test_anyone_registers_the_form_of_their_own():
    class Doubled(PlainPenalty):
        """Twice the rate; a subclass of what has a form, to show that the nearest one counts."""

        plain = False

        def forward(self, rate):
            return 2 * super().forward(rate)

    class Halved(BetaVAE):
        pass

    @closed_form.register
    def _(penalty: Doubled, vae: LinearVAE):
        return vae.fill(2 * vae.beta)

    @closed_form.register
    def _(model: Halved, vae: LinearVAE):
        return vae.fill(vae.beta / 2)

    assert optimum(Doubled()).rates.tolist() == optimum(beta=2.0).rates.tolist()
    assert optimum(model(VAE, Doubled())).rates.tolist() == optimum(beta=2.0).rates.tolist()
    assert optimum(model(Halved)).rates.tolist() == optimum(beta=0.5).rates.tolist()
    assert optimum(model(BNVAE, Doubled(), gamma=0.6)) is None


def test_no_capacity_is_a_price():
    assert optimum(CapacityPenalty(0.0, 2.0)).rates == pytest.approx(optimum(beta=2.0).rates)
    assert optimum(CapacityPenalty(0.0, 20.0)).collapsed == Q
