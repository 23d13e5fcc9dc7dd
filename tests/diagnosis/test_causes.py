"""Each rule of the diagnosis: when it fires, when it does not, and which comes first."""

import pytest

from vae_lab.diagnosis import causes
from vae_lab.diagnosis.causes import RULES, name_cause
from vae_lab.diagnosis.evidence import Evidence

COLLAPSED = {"effective_beta": 1.0, "verdict": "full", "rate": 0.01, "latent_dim": 2, "steps": 100, "shuffle_gap": 0.01}
ALLOWED = COLLAPSED | {"spectrum": [3.0, 2.0]}
STARVED = ALLOWED | {"effective_beta": 5.0, "rate_weight": 5.0}
NEAR = ALLOWED | {"effective_beta": 2.4, "rate_weight": 2.4}
FELL = [(10, 1.0), (20, 4.0), (30, 0.5), (40, 0.01)]
ROSE = [(10, 0.01), (20, 0.02), (30, 0.04)]

FIRES = {
    "no_collapse": ALLOWED | {"verdict": "none"},
    "constant_images": COLLAPSED | {"spectrum": [1e-17, 0.0]},
    "averaged_pixels": STARVED | {"distortion_reduction": "mean"},
    "unread_latent": ALLOWED | {"shuffle_gap": 0.0, "shuffle_gap_dim": [0.0, 0.0]},
    "easy_target": ALLOWED | {"distortion": 28.0, "distortion_target": 40.0},
    "large_variance": COLLAPSED | {"spectrum": [0.7, 0.2], "variance": 1.0},
    "large_beta": STARVED,
    "unended_schedule": ALLOWED | {"schedule_end": 500},
    "unreached_rate": ALLOWED | {"rate_floor": 3.0, "rate": 0.4},
    "empty_rate": ALLOWED | {"rate": 1.0, "rate_floor": 1.0, "held_at_floor": True},
    "untrained": ALLOWED | {"steps": 20, "rate": 19.0, "shuffle_gap": -7.0},
    "autoregressive_decoder": COLLAPSED | {"autoregressive": True, "unfinished": True},
    "near_limit": NEAR,
    "unfinished_training": ALLOWED | {"unfinished": True},
    "growing_weight": ALLOWED | {"rates": FELL, "weights": {20: 0.4, 40: 1.0}},
}
SILENT = {
    "no_collapse": [ALLOWED, STARVED | {"verdict": "none", "held_at_floor": True}],
    "constant_images": [ALLOWED, COLLAPSED],
    "averaged_pixels": [STARVED, ALLOWED | {"distortion_reduction": "mean"}],
    "unread_latent": [ALLOWED, ALLOWED | {"shuffle_gap": 0.0, "shuffle_gap_dim": [0.1, -0.1]}],
    "easy_target": [ALLOWED, ALLOWED | {"distortion": 42.0, "distortion_target": 40.0}],
    "large_variance": [
        STARVED,
        STARVED | {"spectrum": [0.7, 0.2], "variance": 1.0, "learned_variance": True},
        STARVED | {"variance": 1.0},  # β alone is too large: at β = 1 the data would be encoded
        COLLAPSED | {"variance": 0.5},
    ],
    "large_beta": [ALLOWED, STARVED | {"price": 0.3}, ALLOWED | {"effective_beta": 0.0}],
    "unended_schedule": [ALLOWED, ALLOWED | {"schedule_end": 100}],
    "unreached_rate": [ALLOWED, ALLOWED | {"rate_floor": 3.0, "rate": 1.6}],
    "empty_rate": [ALLOWED, ALLOWED | {"rate_floor": 1.0}],
    "untrained": [ALLOWED, ALLOWED | {"rate": 19.0}, ALLOWED | {"shuffle_gap": -0.1}, ALLOWED | {"steps": None}],
    "autoregressive_decoder": [ALLOWED, COLLAPSED | {"autoregressive": True, "rates": ROSE}],
    "near_limit": [
        ALLOWED,
        STARVED,
        NEAR | {"effective_beta": 2.0},
        NEAR | {"price": 0.9},
        NEAR | {"unfinished": True},
    ],
    "unfinished_training": [ALLOWED, ALLOWED | {"unfinished": None}],
    "growing_weight": [
        ALLOWED | {"rates": FELL},
        ALLOWED | {"rates": FELL, "weights": {20: 1.0, 40: 1.0}},
        ALLOWED | {"rates": [(50, 0.0), (100, 0.0)], "weights": {50: 0.4, 100: 1.0}},
    ],
}


def test_each_rule_is_tested():
    assert [rule.__name__ for rule in RULES] == list(FIRES) == list(SILENT)


@pytest.mark.parametrize("rule", FIRES)
def test_fires(rule):
    cause = getattr(causes, rule)(Evidence(**FIRES[rule]))
    assert cause is not None
    assert name_cause(Evidence(**FIRES[rule])) == cause  # no rule before it takes its case


@pytest.mark.parametrize(("rule", "known"), [(rule, known) for rule, several in SILENT.items() for known in several])
def test_does_not_fire(rule, known):
    assert getattr(causes, rule)(Evidence(**known)) is None


def test_without_a_fitting_figure_no_cause_is_named():
    found = name_cause(Evidence(**ALLOWED))
    assert (found.kind, found.words, found.certainty) == ("unknown", "not found", "")


def test_the_spectrum_proves_nothing_for_other_priors_and_losses():
    assert name_cause(Evidence(**STARVED)).certainty == "established"
    assert name_cause(Evidence(**STARVED, plain_elbo=False)).certainty == "likely"
    assert name_cause(Evidence(**STARVED, assumed=True)).certainty == "likely"


def test_a_smaller_weight_is_set_where_the_model_has_one():
    assert name_cause(Evidence(**STARVED, rate_weight_key="model.weight")).change == {"model.weight": 1.0}
    change = name_cause(Evidence(**STARVED, rate_weight_key=None)).change
    assert change == {"model": "beta_vae", "model.beta": 1.0}


def test_near_the_limit_annealing_is_tried_first_and_then_a_smaller_weight():
    cause = name_cause(Evidence(**NEAR))
    assert cause.words == (
        "β = 2.4 is below the linear limit of 3, but so near that training leaves the collapsed state slowly"
    )
    assert (cause.certainty, cause.change) == ("likely", {"annealing": "linear", "annealing.steps": 50})
    annealed = NEAR | {"schedule_end": 50, "weights": {10: 0.2, 100: 1.0}, "rates": FELL}
    assert name_cause(Evidence(**annealed)).change == {"model.beta": 1.0}


@pytest.mark.parametrize(("known", "kind"), [({"steps": 20}, "short"), ({"steps": 2000}, "unknown")])
def test_twenty_steps_are_too_few_whatever_the_kl(known, kind):
    assert name_cause(Evidence(**ALLOWED | known)).kind == kind


def test_z_that_the_decoder_has_not_learnt_to_read_says_what_it_carries():
    cause = name_cause(Evidence(**FIRES["untrained"]))
    assert cause.words == (
        "the run is too short: 20 steps, after which z carries 19 nats that the decoder does not use yet"
    )
    assert cause.change == {"trainer.max_steps": 1000}
    assert name_cause(Evidence(**FIRES["untrained"] | {"steps": 300})).change == {"trainer.max_steps": 1500}


def test_a_schedule_that_outlasts_the_run_is_a_cause_of_its_own():
    cause = name_cause(Evidence(**FIRES["unended_schedule"]))
    assert (cause.kind, cause.certainty, cause.change) == ("schedule", "established", {"trainer.max_steps": 1000})


def test_one_change_does_not_leave_the_other_cause():
    known = STARVED | {"effective_beta": 256.0, "rate_weight": 4.0, "pixels": 64, "distortion_reduction": "mean"}
    assert name_cause(Evidence(**known)).change == {"model.distortion_reduction": "sum", "model.beta": 1.0}
    assert name_cause(Evidence(**known, rate_weight_key=None)).change == {"model.distortion_reduction": "sum"}


def test_a_held_rate_with_a_starved_latent_is_named_too():
    known = STARVED | {"verdict": "none", "rate": 1.0, "rate_floor": 1.0, "held_at_floor": True}
    cause = name_cause(Evidence(**known))
    assert cause.kind == "beta"
    assert cause.words.startswith("only the floor holds the rate up: β = 5 is too large")


def test_a_held_rate_that_carries_nothing_changes_the_model_or_its_pull():
    held = FIRES["empty_rate"]
    assert name_cause(Evidence(**held)).change == {}
    assert name_cause(Evidence(**held, holds_rate=True)).change == {"model": "beta_vae"}
    pulled = name_cause(Evidence(**held, price=-1000))
    assert (pulled.change, pulled.kind) == ({"annealing.gamma": 10.0}, "floor")
    assert "γ = 1000 outweighs the distortion" in pulled.words


def test_free_bits_are_not_offered_where_the_rate_has_a_price_already():
    known = FIRES["autoregressive_decoder"]
    assert name_cause(Evidence(**known)).change["free_bits"] == "total"
    assert name_cause(Evidence(**known, price=0.3)).change == {"decoder": "mlp"}


def test_a_rate_that_rose_and_fell_is_told_with_its_step_and_weight():
    words = name_cause(Evidence(**FIRES["growing_weight"])).words
    assert words == "the KL rose to 4.00 nats at step 20, and fell as kl_weight grew from 0.4 to 1"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"verdict": "none"}, "not collapsed"),
        (
            {"verdict": "partial", "latent_dim": 16, "unused": 12},
            "not collapsed: 4 of 16 dimensions are used, the others cost nothing",
        ),
        (
            {"verdict": "partial", "latent_dim": 2, "unused": 1},
            "not collapsed: 1 of 2 dimensions is used, though 2 directions of the data lie above β: annealing or more "
            "steps may wake others",
        ),
        (
            {"verdict": "none", "kl_weight": 0.4, "schedule_end": 500},
            "not collapsed so far, but the schedule has not ended (kl_weight 0.4)",
        ),
        (
            {"verdict": None, "rate": 9.5},
            "the KL is not near 0; only shuffling z between images tells whether the decoder uses it",
        ),
    ],
)
def test_a_run_that_did_not_collapse_has_no_cause(known, words):
    found = name_cause(Evidence(**ALLOWED | known))
    assert (found.kind, found.words, found.certainty, found.change) == ("none", words, "", {})
