"""Why a run diverged: when each rule fires, when it does not, and which comes first."""

import math

import pytest

from vae_lab.diagnosis import divergence
from vae_lab.diagnosis.diagnosis import diagnose
from vae_lab.diagnosis.divergence import RULES, last_variance, name_divergence
from vae_lab.diagnosis.evidence import Evidence

DIVERGED = {"effective_beta": 1.0, "diverged_step": 400, "learning_rate": 1e-3, "pixels": 64}
LEARNED = DIVERGED | {"learned_variance": True}
CLEAR = -64 * 4.0  # nats of distortion at which σ² is about 1e-5
FIRES = {
    "overflowing_start": DIVERGED | {"diverged_step": 1, "learning_rate": 0.5},
    "vanishing_variance": LEARNED | {"train_distortions": [(100, 20.0), (375, CLEAR)], "learning_rate": 0.5},
    "overflowing_exponent": DIVERGED | {"train_rates": [(100, 5.0), (375, 3e7)], "learning_rate": 0.5},
    "high_learning_rate": DIVERGED | {"learning_rate": 0.05},
}
SILENT = {
    "overflowing_start": [DIVERGED, DIVERGED | {"diverged_step": 2}],
    "vanishing_variance": [
        LEARNED,
        LEARNED | {"train_distortions": [(375, -20.0)]},
        DIVERGED | {"train_distortions": [(375, CLEAR)]},
        FIRES["vanishing_variance"] | {"pixels": None},
    ],
    "overflowing_exponent": [DIVERGED, DIVERGED | {"train_rates": [(100, 3e7), (375, 50.0)]}],
    "high_learning_rate": [DIVERGED, DIVERGED | {"train_distortions": [(100, 30.0), (375, 20.0)]}],
}


def test_each_rule_is_tested():
    assert [rule.__name__ for rule in RULES] == list(FIRES) == list(SILENT)


@pytest.mark.parametrize("rule", FIRES)
def test_fires(rule):
    cause = getattr(divergence, rule)(Evidence(**FIRES[rule]))
    named = name_divergence(Evidence(**FIRES[rule]))
    assert (named.kind, named.certainty, named.change) == (cause.kind, cause.certainty, cause.change)
    assert named.words == f"the loss was no longer finite at step {FIRES[rule]['diverged_step']}: {cause.words}"


@pytest.mark.parametrize(("rule", "known"), [(rule, known) for rule, several in SILENT.items() for known in several])
def test_does_not_fire(rule, known):
    assert getattr(divergence, rule)(Evidence(**known)) is None


def test_a_distortion_that_rose_speaks_of_a_learning_rate_whatever_that_is():
    known = DIVERGED | {"train_distortions": [(100, 30.0), (200, 25.0), (375, 4e5)]}
    assert name_divergence(Evidence(**known)).change == {"optimizer.lr": 1e-4}


def test_where_nothing_fits_a_smaller_learning_rate_is_tried():
    found = diagnose(Evidence(**DIVERGED)).cause
    assert (found.kind, found.certainty, found.change) == ("unknown", "", {"optimizer.lr": 1e-4})


def test_the_variance_is_the_one_that_suits_the_last_distortion():
    variance, pixels = 0.02, 64
    distortion = 0.5 * pixels * (math.log(2 * math.pi * variance) + 1)
    known = LEARNED | {"train_distortions": [(10, 99.0), (20, distortion)]}
    assert last_variance(Evidence(**known)) == pytest.approx(variance)
    assert last_variance(Evidence(**LEARNED | {"train_distortions": [(20, 1e30)]})) > 1e300
