"""The curves of scheduled coefficients before training, and the warning of those that end too late."""

import pytest

from vae_lab.config.compose import compose_config
from vae_lab.elbo.schedules import Cosine, Cyclical
from vae_lab.sweep.checking import sweep_warning
from vae_lab.training.assembly import assemble
from vae_lab.training.coefficients import curves, late_schedules


def test_curves_are_those_of_the_run():
    found = curves(compose_config(["annealing=cyclical", "free_bits=growing", "optimizer.lr_decay=cosine"]))
    for step in (0, 1, 130, 499, 500, 1500):
        assert found["coef/kl_weight"](step) == Cyclical(steps=500)(step)
        assert found["coef/free_bits"](step) == pytest.approx(0.25 * min(step / 500, 1))
        assert found["learning rate"](step) == pytest.approx(1e-3 * Cosine(1500, start=1, stop=0)(step))


def test_capacity_is_drawn_in_nats():
    found = curves(compose_config(["annealing=capacity", "annealing.capacity=25", "annealing.steps=100"]))
    assert [found["coef/capacity"](step) for step in (0, 50, 100, 200)] == [0, 12.5, 25, 25]


def late(*overrides):
    config = compose_config(["trainer.max_steps=1000", *overrides])
    return late_schedules(config, assemble(config).data)


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ([], 0),
        (["annealing=linear", "annealing.steps=900"], 0),
        (["annealing=linear", "annealing.steps=901"], 1),
        (["annealing=cyclical", "annealing.steps=1000"], 0),  # its last cycle is up from step 875 on
        (["annealing=linear", "annealing.steps=1001", "free_bits=growing", "free_bits.steps=2000"], 2),
        (["control=pi"], 0),  # has no end
        (["annealing=linear", "annealing.steps=60", "epochs=4"], 0),  # 4 epochs of 18 batches: 72 steps
        (["annealing=linear", "annealing.steps=70", "epochs=4"], 1),
    ],
)
def test_a_schedule_that_ends_too_late_is_named(overrides, count):
    assert len(late(*overrides)) == count


def test_the_line_says_which_and_what_to_do():
    (line,) = late("annealing=linear", "annealing.steps=1800")
    assert line == (
        "annealing: its schedule ends at step 1800, after the run, which has 1000 steps; "
        "let it end by step 900 (annealing.steps), or train for 2000 steps or more"
    )
    assert "in the last tenth of the run" in late("annealing=linear", "annealing.steps=1000")[0]


def test_what_the_line_proposes_is_enough():
    assert not late("annealing=linear", "annealing.steps=1800", "trainer.max_steps=2000")
    assert not late("annealing=linear", "annealing.steps=900")


def test_a_sweep_has_one_line_at_most():
    assert sweep_warning([[], []]) == ""
    assert sweep_warning([["a"], [], ["a", "b"]]) == "a (so in 2 of 3 runs)"
