"""Callbacks that move a coefficient as a schedule says: KL annealing, free bits, capacity."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch

from vae_lab.callbacks import Capacity, FreeBits, KLAnnealing
from vae_lab.checks import ConfigError
from vae_lab.elbo import penalties
from vae_lab.elbo.schedules import SCHEDULES, Cyclical, Linear, make_schedule
from vae_lab.training import run
from vae_lab.training.assembly import assemble

EACH_STEP = "trainer.log_every_n_steps=1"
OPTIONS = {"constant": {"value": 0.5}, "cyclical": {"steps": 12, "cycles": 2, "ratio": 0.25}}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


def options_of(schedule):
    return OPTIONS.get(schedule, {"steps": 12})


def expected(schedule, scale, steps=range(20)):
    law = SCHEDULES[schedule](**options_of(schedule))
    return {step + 1: pytest.approx(scale * law(step), rel=1e-6) for step in steps}


def overrides(group, schedule):
    """The command line that gives this schedule to a group whose default is linear."""
    given = {"schedule": schedule, **options_of(schedule)}
    known = ("schedule", "steps")
    return [
        *(f"{'' if name in known else '+'}{group}.{name}={value}" for name, value in given.items()),
        *([] if "steps" in given else [f"~{group}.steps"]),
    ]


@pytest.mark.parametrize("schedule", ["linear", "cyclical"])
def test_capacity_moves_by_step_and_is_logged(schedule, compose_config, tmp_path, curve):
    settings = ("annealing.capacity=6", EACH_STEP, *overrides("annealing", schedule))
    run.execute(compose_config("annealing=capacity", *settings), tmp_path, {})
    assert curve("coef/capacity") == expected(schedule, 6.0)


@every_schedule
def test_free_bits_move_by_step_and_are_logged(schedule, compose_config, tmp_path, curve):
    settings = ("free_bits.epsilon=0.8", EACH_STEP, *overrides("free_bits", schedule))
    run.execute(compose_config("free_bits=growing", *settings), tmp_path, {})
    assert curve("coef/free_bits") == expected(schedule, 0.8)


@every_schedule
def test_schedules_are_made_by_name(schedule):
    assert make_schedule(schedule, **options_of(schedule)) == SCHEDULES[schedule](**options_of(schedule))


def test_loss_of_a_validation_is_that_of_its_step(compose_config, tmp_path, curve):
    run.execute(compose_config("annealing=capacity", "annealing.capacity=90", "annealing.steps=20"), tmp_path, {})
    loss, rate, distortion = (curve(f"val/{name}") for name in ("loss", "rate", "distortion"))
    for step, capacity in ((10, 45), (20, 90)):
        assert loss[step] == pytest.approx(distortion[step] + 10 * abs(rate[step] - capacity), rel=1e-5)


def test_capacity_holds_the_rate(compose_config, tmp_path):
    settings = ("annealing.steps=50", "trainer.max_steps=150", "trainer.val_check_interval=150")
    result = run.execute(compose_config("annealing=capacity", "annealing.capacity=5", *settings), tmp_path, {})
    assert result.metrics["test/rate"] == pytest.approx(5, abs=0.5)
    assert result.rate_floor == 5
    assert result.checkpoint == "best.ckpt"


def test_warm_up_and_free_bits_move_both(compose_config, tmp_path, curve):
    warm_up = ("annealing=linear", "annealing.steps=10")
    free_bits = ("free_bits=growing", "free_bits.epsilon=0.5", "free_bits.schedule=cosine", "free_bits.steps=16")
    run.execute(compose_config(*warm_up, *free_bits, EACH_STEP), tmp_path, {})
    assert [curve("coef/kl_weight")[step] for step in (1, 6, 11, 20)] == pytest.approx([0, 0.5, 1, 1])
    assert [curve("coef/free_bits")[step] for step in (1, 9, 17, 20)] == pytest.approx([0, 0.25, 0.5, 0.5])


def test_validations_do_not_count_as_steps(compose_config, tmp_path, curve):
    settings = ("annealing=linear", "annealing.steps=12", "free_bits=growing", "free_bits.steps=16", EACH_STEP)
    curves = []
    for every in (4, 20):
        run.execute(compose_config(*settings, f"trainer.val_check_interval={every}"), tmp_path / str(every), {})
        curves.append([curve(f"coef/{name}", tmp_path / str(every)) for name in ("kl_weight", "free_bits")])
    assert len(curves[0][0]) == len(curves[0][1]) == 20
    assert curves[0] == curves[1]


EXCLUSIVE = {"annealing": "capacity", "free_bits": "growing", "control": "pi"}


@pytest.mark.parametrize("pair", list(itertools.combinations(EXCLUSIVE, 2)))
def test_two_penalties_exclude_each_other_by_name(pair, compose_config):
    with pytest.raises(ConfigError) as error:
        assemble(compose_config(*(f"{group}={EXCLUSIVE[group]}" for group in pair)))
    message = str(error.value)
    assert "\n" not in message
    assert all(f"{group}=" in message for group in pair)
    assert "both price the rate; take " in message


def test_adaptive_free_bits_exclude_capacity_and_control(compose_config):
    for other in ("annealing=capacity", "control=pi"):
        with pytest.raises(ConfigError, match="cannot go with"):
            assemble(compose_config("free_bits=adaptive", other))


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        ((), 0),
        (("annealing=linear", "annealing.steps=300"), 300),
        (("free_bits=growing", "free_bits.steps=70"), 70),
        (("annealing=linear", "annealing.steps=300", "free_bits=growing", "free_bits.steps=70"), 300),
        (("annealing=linear", "annealing.steps=30", "free_bits=growing", "free_bits.steps=70"), 70),
        (("annealing=capacity", "annealing.steps=40"), 40),
        (("annealing=linear", "annealing.steps=30", "control=pi"), math.inf),
        (("free_bits=adaptive",), math.inf),
        (("inference=aggressive",), 0),
    ],
)
def test_best_is_chosen_after_the_last_of_all_ends(settings, end, compose_config):
    assert assemble(compose_config(*settings)).end == end


def test_no_checkpoint_before_the_end_of_free_bits_is_best(compose_config, tmp_path):
    settings = ("free_bits=growing", "free_bits.steps=15", "trainer.val_check_interval=5", "free_bits.epsilon=3")
    result = run.execute(compose_config(*settings), tmp_path, {})
    assert (result.checkpoint, result.checkpoint_step) in (("best.ckpt", 15), ("best.ckpt", 20))
    result = run.execute(compose_config(*settings, "free_bits.steps=21"), tmp_path / "late", {})
    assert (result.checkpoint, result.checkpoint_step) == ("last.ckpt", 20)


@pytest.mark.parametrize(
    ("settings", "penalty"),
    [
        ((), penalties.PlainPenalty),
        (("free_bits=total",), penalties.FreeBitsPenalty),
        (("annealing=capacity",), penalties.CapacityPenalty),
        (("free_bits=adaptive",), penalties.ControlledPenalty),
    ],
)
def test_penalty_of_the_remedy_is_that_of_the_model(settings, penalty, compose_config):
    parts = assemble(compose_config(*settings))
    assert type(parts.model.penalty) is penalty
    assert [r.penalty for r in parts.remedies if r.penalty is not None] in ([], [parts.model.penalty])


def test_moving_is_a_function_of_the_step_alone():
    free_bits, capacity, annealing = FreeBits("total", 0.8, "linear", steps=10), Capacity(4.0, steps=10), KLAnnealing()
    for step in (7, 3, 100, 7):
        trainer = SimpleNamespace(global_step=step, log_every_n_steps=1000)
        free_bits.on_train_batch_start(trainer, None, None, batch_idx=0)
        capacity.on_validation_start(trainer, None)
        assert free_bits.penalty.epsilon.item() == pytest.approx(0.8 * min(step / 10, 1))
        assert capacity.penalty.capacity.item() == pytest.approx(4 * min(step / 10, 1))
        assert free_bits.penalty(torch.zeros(3, 2)).item() == pytest.approx(0.8 * min(step / 10, 1))
    assert (free_bits.end, capacity.end, annealing.end) == (10, 10, 0)
    assert annealing.value(5) == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("annealing.schedule=linaer",), r"annealing\.schedule=linaer: must be one of .*did you mean linear"),
        (("annealing.steps=0",), r"annealing\.steps=0: must be a whole number"),
        (("annealing.capacity=-1",), r"annealing\.capacity=-1: must be a finite number >= 0"),
        (("annealing.gamma=0",), r"annealing\.gamma=0: must be a finite number > 0"),
        (("+annealing.cycles=3",), r"annealing\.cycles=3: no such setting"),
        (("annealing=constant", "free_bits=growing", "free_bits.mode=all"), r"free_bits\.mode=all: must be one of"),
        (("annealing=constant", "free_bits=growing", "free_bits.epsilon=-1"), r"free_bits\.epsilon=-1: must be"),
    ],
)
def test_mistakes_are_refused_by_their_place_in_the_config(settings, message, compose_config):
    with pytest.raises(ConfigError, match=f"^{message}"):
        assemble(compose_config("annealing=capacity", *settings))


def test_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match=r"^schedule=step: must be one of constant, linear"):
        make_schedule("step")
    assert make_schedule("cyclical", steps=8, cycles=2) == Cyclical(8, cycles=2)
    assert make_schedule("linear", steps=8, stop=0.5) == Linear(8, stop=0.5)
