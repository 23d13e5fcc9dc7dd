"""What a diagnosis says it looked at."""

import pytest

from vae_lab.diagnosis.checks import checks
from vae_lab.diagnosis.evidence import Evidence


def said(check, **known):
    return dict(checks(Evidence(**{"effective_beta": 1.0, **known}))).get(check)


def test_only_what_is_known_is_said():
    assert [check for check, _ in checks(Evidence(effective_beta=1.0))] == ["effective β"]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"effective_beta": 4.0, "rate_weight": 4.0}, "4 = rate weight 4 × kl_weight 1"),
        (
            {"effective_beta": 64.0, "distortion_reduction": "mean", "pixels": 64},
            "64 = rate weight 1 × kl_weight 1 × 64 pixels (distortion averaged)",
        ),
        (
            {"effective_beta": -10.0, "price": -10.0},
            "-10 = rate weight 1 × kl_weight 1 × price -10 (the rate is below its target and is pulled up)",
        ),
    ],
)
def test_effective_beta_says_what_it_is_made_of(known, words):
    assert said("effective β", **known) == words


def test_spectrum_counts_the_eigenvalues_above_the_effective_beta():
    known = {"spectrum": [3, 2, 0.5, 0.4, 0.1]}
    words = "2 of the first 5 eigenvalues lie above the effective β (3, 2, 0.5, 0.4, ...)"
    assert said("spectrum", **known) == words
    assert said("spectrum", **known, price=-1.0) is None


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ([(1, 0.01), (2, 0.02), (3, 0.04)], "still rising, 0.040 nats at step 3"),
        ([(1, 0.01), (2, 0.02), (3, 0.019)], "never rose, 0.019 nats at step 3"),
        ([(1, 0.2), (2, 0.3), (3, 0.3)], "rose and stayed, 0.300 nats at step 3"),
        ([(1, 0.2), (2, 0.1), (3, 0.05)], "fell from 0.200 to 0.050 nats at step 3"),
        ([(1, 1.0), (2, 4.0), (3, 0.5)], "rose to 4.00 nats at step 2 (kl_weight 0.4), then fell to 0.500 at step 3"),
    ],
)
def test_history_of_the_rate(rates, words):
    assert said("KL over training", rates=rates, weights={2: 0.4}) == words


def test_shuffle_gap_names_the_dimensions_that_have_one():
    gaps = {"shuffle_gap": 3.0, "shuffle_gap_se": 0.1, "shuffle_gap_dim": [1.0, 0.0], "shuffle_gap_dim_se": [0.1, 0.1]}
    assert said("shuffle gap", **gaps) == "3.000 ± 0.100 nats; dimensions with a gap of their own: z0"


@pytest.mark.parametrize(
    ("unfinished", "words"),
    [(True, "still improving"), (False, "no longer improving"), (None, "too few validations to tell")],
)
def test_length_says_whether_it_was_enough(unfinished, words):
    assert said("length", steps=100, unfinished=unfinished).startswith(f"100 steps, {words}")
    assert "the schedule ends later, at step 500" in said("length", steps=100, schedule_end=500)


def test_other_figures():
    assert said("variance σ²", variance=0.3, effective_beta=2.0) == "0.3; βσ² = 0.6"
    assert said("mutual information", mutual_information=2.0, mutual_information_ceiling=5.7) == (
        "2.000 nats of at most 5.70 (log N)"
    )
    assert said("KL (rate)", rate=1.0, rate_floor=1.0, held_at_floor=True) == "1.000 nats, held at its floor of 1"
    assert said("batch-wise terms", batchwise_terms="MMD") == "MMD: figures depend on the batch size"
