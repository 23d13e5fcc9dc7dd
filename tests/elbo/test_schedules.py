"""Schedules: values at known steps, the promised end, bounds, and refusals."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import MultiStepLR

from vae_lab.elbo.schedules import Constant, Cosine, Cyclical, Decay, Exponential, Linear, Sigmoid

RAMPS = [Linear, Cosine, Sigmoid]


def values(schedule, steps):
    return [schedule(step) for step in range(steps)]


def brute_force_end(schedule, horizon):
    """The first step from which the value never changes within ``horizon``, but for rounding."""
    final = schedule(horizon)
    return max((step + 1 for step in range(horizon) if abs(schedule(step) - final) > 1e-12), default=0)


@pytest.mark.parametrize("value", [0.0, 0.3, 1])
def test_constant_is_its_value_everywhere(value):
    assert {Constant(value)(step) for step in (0, 1, 17, 10**9)} == {float(value)}
    assert Constant(value).end == 0


def test_linear_at_known_steps():
    assert values(Linear(4), 7) == [0, 0.25, 0.5, 0.75, 1, 1, 1]


def test_cosine_at_known_steps():
    assert values(Cosine(4), 6) == pytest.approx([0, 0.5 - math.sqrt(2) / 4, 0.5, 0.5 + math.sqrt(2) / 4, 1, 1])


@pytest.mark.parametrize("k", [1.0, 10.0, 40.0])
def test_sigmoid_is_the_rescaled_logistic(k):
    def logistic(u):
        return 1 / (1 + math.exp(-k * (u - 0.5)))

    expected = [(logistic(s / 20) - logistic(0)) / (logistic(1) - logistic(0)) for s in range(21)]
    assert values(Sigmoid(20, steepness=k), 21) == pytest.approx(expected, abs=1e-12)


def test_sigmoid_has_the_documented_slope_in_the_middle():
    ramp, step = Sigmoid(2 * 10**6, steepness=20.0), 10**6
    assert (ramp(step + 1) - ramp(step - 1)) * 10**6 == pytest.approx(20 / 4, rel=1e-3)  # k/4, the ends cut e^-10


def test_exponential_changes_by_the_same_factor_at_each_step():
    assert values(Exponential(4, start=0.0625, stop=1.0), 7) == pytest.approx([0.0625, 0.125, 0.25, 0.5, 1, 1, 1])
    assert values(Exponential(2, start=1.0, stop=0.25), 4) == pytest.approx([1, 0.5, 0.25, 0.25])
    assert brute_force_end(Exponential(40), 100) == Exponential(40).end == 40


@pytest.mark.parametrize("name", ["start", "stop"])
def test_exponential_refuses_zero(name):
    with pytest.raises(ValueError, match=rf"^{name}=0: must be"):
        Exponential(4, **{name: 0})


def test_cyclical_at_known_steps():
    tooth = [0, 0.5, 1, 1]
    assert values(Cyclical(16, cycles=4, ratio=0.5), 18) == tooth * 4 + [1, 1]


@pytest.mark.parametrize("cycles", [1, 2, 4, 5])
def test_cyclical_has_m_teeth(cycles):
    schedule = Cyclical(20 * cycles, cycles=cycles, ratio=0.5)
    starts = [step for step in range(schedule.end + 50) if schedule(step) == 0]
    assert starts == [20 * tooth for tooth in range(cycles)]


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.5, 1.0])
def test_cyclical_rises_over_its_ratio(ratio):
    schedule = Cyclical(400, cycles=4, ratio=ratio)
    assert schedule(1) == pytest.approx(1 / (100 * ratio))
    assert sum(value < 1 for value in values(schedule, 400)) == 4 * 100 * ratio


@pytest.mark.parametrize("ramp", [*RAMPS, Cyclical])
@pytest.mark.parametrize(("start", "stop"), [(0.0, 1.0), (0.2, 0.7), (0.9, 0.1)])
def test_ramps_begin_and_end_exactly_at_their_ends(ramp, start, stop):
    schedule = ramp(30, start=start, stop=stop)
    assert schedule(0) == pytest.approx(start, abs=1e-15)
    assert schedule(30) == schedule(10**6) == pytest.approx(stop, abs=1e-15)


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("steps", [1, 2, 13, 100])
def test_end_of_a_ramp_is_the_first_step_that_never_changes(ramp, steps):
    assert ramp(steps).end == brute_force_end(ramp(steps), 3 * steps + 10)


@pytest.mark.parametrize("cycles", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("steps", [56, 100, 101, 250])
def test_end_of_cyclical_is_the_first_step_that_never_changes(cycles, ratio, steps):
    schedule = Cyclical(steps, cycles=cycles, ratio=ratio)
    assert schedule.end == brute_force_end(schedule, 2 * steps)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    ramp=st.sampled_from([*RAMPS, Cyclical]),
    steps=st.integers(1, 200),
    start=st.floats(0, 1),
    stop=st.floats(0, 1),
)
def test_values_stay_between_start_and_stop_and_rest_after_the_end(ramp, steps, start, stop):
    schedule = ramp(steps, start=start, stop=stop)
    low, high = min(start, stop), max(start, stop)
    assert all(low - 1e-12 <= value <= high + 1e-12 for value in values(schedule, steps + 5))
    assert all(schedule(step) == pytest.approx(stop, abs=1e-12) for step in range(schedule.end, schedule.end + 20))


@pytest.mark.parametrize("ramp", RAMPS)
def test_ramps_are_strictly_monotone_until_their_end(ramp):
    rising, falling = values(ramp(50), 51), values(ramp(50, start=1.0, stop=0.0), 51)
    assert all(a < b for a, b in itertools.pairwise(rising))
    assert all(a > b for a, b in itertools.pairwise(falling))


@pytest.mark.parametrize("ramp", RAMPS)
def test_ramps_are_antisymmetric_about_their_middle(ramp):
    assert [ramp(10)(s) + ramp(10)(10 - s) for s in range(11)] == pytest.approx([1.0] * 11)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Constant(-0.1), "value=-0.1"),
        (lambda: Constant(1.5), "value=1.5"),
        (lambda: Constant(math.nan), "value=nan"),
        (lambda: Linear(0), "steps=0"),
        (lambda: Linear(2.5), "steps=2.5"),
        (lambda: Linear(10, start=-1), "start=-1"),
        (lambda: Cosine(10, stop=2), "stop=2"),
        (lambda: Sigmoid(10, steepness=0), "steepness=0"),
        (lambda: Sigmoid(0), "steps=0"),
        (lambda: Cyclical(10, cycles=0), "cycles=0"),
        (lambda: Cyclical(10, cycles=1.5), "cycles=1.5"),
        (lambda: Cyclical(10, ratio=0), "ratio=0"),
        (lambda: Cyclical(10, ratio=1.1), "ratio=1.1"),
        (lambda: Cyclical(True), "steps=True"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, name):
    with pytest.raises(ValueError, match=f"^{name}: must be"):
        make()


def test_a_decay_by_steps_is_that_of_torchs_own_scheduler():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    reference = MultiStepLR(optimizer, milestones=[40, 70], gamma=10 ** (-1 / 5))
    factor = Decay("step", lr_milestones=[0.4, 0.7], lr_factor=10 ** (-1 / 5))(100)
    for step in range(100):
        assert factor(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        reference.step()
    assert factor.end == 70


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr_decay": "stairs"}, "lr_decay=stairs"),
        ({"lr_milestones": []}, "lr_milestones="),
        ({"lr_milestones": "half"}, "lr_milestones=half"),
        ({"lr_milestones": [0.4, 1.2]}, "lr_milestones=1.2"),
        ({"lr_factor": 0}, "lr_factor=0"),
    ],
)
def test_a_decay_refuses_what_cannot_be(options, named):
    with pytest.raises(ValueError, match=named):
        Decay(**options)
