"""What a probe has shown: its outcome, and what becomes of the diagnosis."""

import pytest

from vae_lab.diagnosis.causes import ESTABLISHED, LIKELY, name_cause
from vae_lab.diagnosis.checks import checks
from vae_lab.diagnosis.continuation import Continuation
from vae_lab.diagnosis.evidence import Evidence


def shown(losses=(27.3, 27.2, 27.4), verdicts=("full",) * 3, halfway=(2.0,) * 3, loss=27.25, **more):
    options = {"first": "beta", **more}
    return Continuation(loss=loss, losses=losses, verdicts=verdicts, halfway=halfway, **options)


LOWER = {"losses": (24.0, 24.2, 24.1), "verdicts": ("none", "partial", "none")}
CHANGE = {"annealing": "exponential", "annealing.start": 0.05}


@pytest.mark.parametrize(
    ("figures", "outcome"),
    [
        ({}, "asked for"),
        (LOWER, "trapped"),
        ({**LOWER, "halfway": (0.0, 2.0, 2.0)}, "trapped"),  # a lower loss is one, however it was found
        ({**LOWER, "losses": (27.16, 27.16, 27.16)}, "undecided"),  # less than a tenth of a nat
        ({**LOWER, "losses": (24.0, 28.0, 24.1)}, "undecided"),  # one seed lies above the run
        ({"losses": (24.0, 27.0, 27.1), "verdicts": ("none", "full", "full")}, "trapped"),
        ({"losses": (26.0, 25.9, 27.1), "verdicts": ("none", "full", "full")}, "undecided"),
        ({"halfway": (2.0, 2.0, 0.05)}, "undecided"),  # z was never in use: nothing was given up
        ({"losses": (20.0, 20.0, 20.0)}, "asked for"),  # better trained, and collapsed all the same
    ],
)
def test_outcome(figures, outcome):
    assert shown(**figures).outcome == outcome


def test_it_is_said_in_words():
    assert str(shown()) == ("from a small β, z ends in use in 0 of 3 seeds: loss 27.30, 27.20, 27.40, the run's 27.25")
    assert "z was not in use before the run's own objective set in" in str(shown(halfway=(0.0,) * 3))
    assert "undecided: the losses with z in use do not lie 0.1 nats below" in str(shown(**LOWER, loss=24.0))
    assert str(shown(first="free_bits")).startswith("from free bits, ")


def evidence(continuation, **known):
    options = {"effective_beta": 1.0, "verdict": "full", "steps": 1500, "spectrum": [3.3, 1.2], **known}
    return Evidence(continuation=continuation, **options)


LIKELIES = {  # what the figures alone call likely
    "autoregressive": {"autoregressive": True, "spectrum": []},
    "variance": {"variance": 1.0, "spectrum": [], "rate": 0.0},
    "averaged": {"distortion_reduction": "mean", "pixels": 64, "effective_beta": 64.0, "spectrum": []},
}


@pytest.mark.parametrize("kind", LIKELIES)
def test_what_asks_for_collapse_is_established_where_it_was_likely(kind):
    likely = name_cause(evidence(None, **LIKELIES[kind]))
    assert (likely.kind, likely.certainty) == (kind, LIKELY)
    assert name_cause(evidence(shown(), **LIKELIES[kind])) == likely._replace(certainty=ESTABLISHED)


@pytest.mark.parametrize("known", [{}, {"unfinished": True}], ids=["unknown", "short"])
def test_an_objective_that_asks_for_collapse_is_a_cause_of_its_own(known):
    before = name_cause(evidence(None, **known))
    cause = name_cause(evidence(shown(), **known))
    assert before.kind in ("unknown", "short")
    assert (cause.kind, cause.certainty) == ("objective", ESTABLISHED)
    assert cause.words.endswith("continued from a small β, z was in use and was given up again in all 3 seeds")
    assert cause.change == {"free_bits": "total", "free_bits.epsilon": 2.0}


@pytest.mark.parametrize("known", [{}, {"effective_beta": 4.0}, LIKELIES["autoregressive"]])
def test_a_trap_counts_more_than_the_spectrum(known):
    cause = name_cause(evidence(shown(**LOWER, change=CHANGE), **known))
    assert (cause.kind, cause.certainty, cause.change) == ("trapped", ESTABLISHED, CHANGE)
    assert "the same loss ends 3.05 nats lower, with z in use (3 of 3 seeds)" in cause.words


def test_a_saddle_near_the_limit_is_established_by_a_trap():
    near = {"effective_beta": 3.0}
    likely = name_cause(evidence(None, **near))
    assert (likely.kind, likely.certainty) == ("near", LIKELY)
    cause = name_cause(evidence(shown(**LOWER, change=CHANGE), **near))
    assert (cause.kind, cause.certainty, cause.change) == ("near", ESTABLISHED, CHANGE)


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({"verdict": "none"}, "none"),
        ({"shuffle_gap": 0.0}, "decoder"),
        ({"spectrum": [0.0]}, "constant"),
        ({"schedule_end": 9999}, "schedule"),
    ],
)
def test_facts_of_a_run_stay_its_cause(known, kind):
    for continuation in (None, shown(), shown(**LOWER)):
        assert name_cause(evidence(continuation, **known)).kind == kind


def test_nothing_decided_changes_nothing():
    undecided = shown(halfway=(0.0,) * 3)
    assert name_cause(evidence(undecided)) == name_cause(evidence(None))
    assert dict(checks(evidence(undecided)))["continuation"] == str(undecided)
    assert "continuation" not in dict(checks(evidence(None)))
