"""Controllers: each law against numpy, the loop closed on a plant, bounds, and refusals."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from vae_lab.elbo.controllers import Adaptive, Geco, ProportionalIntegral

LAWS = {
    "adaptive": Adaptive(3.0, every=2),
    "pi": ProportionalIntegral(3.0, kp=0.5, ki=0.02, low=0.1, high=2.0),
    "geco": Geco(20.0),
}
every_law = pytest.mark.parametrize("law", LAWS)


def measurements(n, seed=0):
    return np.random.default_rng(seed).uniform(0, 40, n)


def numbers(controller):
    """The controller's numbers as floats, by name."""
    return SimpleNamespace(**{name: value.item() for name, value in controller.named_buffers()})


def run(controller, measured, state=None):
    """The weights after each measurement, float64, and the last state."""
    controller = copy.deepcopy(controller).double()
    state = controller.start().double() if state is None else state
    weights = []
    for value in measured:
        state, weight = controller(state, torch.tensor(value, dtype=torch.float64))
        weights.append(weight.item())
    return weights, state


# by hand


def adaptive_by_hand(c, measured):
    c = numbers(c)
    weight, seen, weights = c.start_weight, [], []
    for value in measured:
        seen.append(value)
        if len(seen) == c.every:
            mean, seen = np.mean(seen), []
            if mean > (1 + c.tolerance) * c.target:
                weight *= 1 + c.step
            elif mean < c.target:
                weight *= 1 - c.step
            weight = np.clip(weight, c.low, c.high)
        weights.append(weight)
    return weights


def pi_by_hand(c, measured):
    """Shao et al. 2020, equations 6 to 8, without anti-windup: the weight is held, the sum goes on."""
    c = numbers(c)
    errors = c.target - np.asarray(measured, dtype=float)
    return np.clip(c.kp / (1 + np.exp(errors)) - c.ki * np.cumsum(errors) + c.low, c.low, c.high)


def geco_by_hand(c, measured):
    """Rezende & Viola 2018, algorithm 1, for the multiplier of the constraint."""
    c = numbers(c)
    multiplier, average, weights = 1 / c.start_weight, None, []
    for value in measured:
        excess = value - c.target
        average = excess if average is None else c.memory * average + (1 - c.memory) * excess
        multiplier *= np.exp(np.clip(c.speed * average, -0.1, 0.1))
        weights.append(np.clip(1 / multiplier, c.low, c.high))
    return weights


@pytest.mark.parametrize(
    ("controller", "by_hand"),
    [
        (Adaptive(20.0, every=1), adaptive_by_hand),
        (Adaptive(20.0), adaptive_by_hand),
        (Adaptive(20.0, step=0.3, tolerance=0.2, every=3, low=0.5, high=1.2), adaptive_by_hand),
        (ProportionalIntegral(5.0, kp=0.5, ki=0.002, low=1.0), pi_by_hand),
        (ProportionalIntegral(5.0, kp=0.0, ki=0.001), pi_by_hand),
        (Geco(20.0), geco_by_hand),
        (Geco(5.0, speed=0.2, memory=0.5, low=0.01, start_weight=3.0), geco_by_hand),
        (Geco(-5.0, memory=0.0), geco_by_hand),
    ],
)
def test_law_by_hand(controller, by_hand):
    measured = measurements(200)
    np.testing.assert_allclose(run(controller, measured)[0], by_hand(controller, measured), rtol=1e-6)


@pytest.mark.parametrize(
    ("mean", "factor"), [(2.9, 0.9), (2.999, 0.9), (3.001, 1.0), (3.149, 1.0), (3.151, 1.1), (30.0, 1.1)]
)
def test_adaptive_moves_by_a_tenth_outside_its_band_and_not_within(mean, factor):
    assert run(Adaptive(3.0, every=1), [mean])[0] == pytest.approx([factor], rel=1e-7)


def test_adaptive_moves_once_every_so_many_steps_by_their_mean():
    weights, state = run(Adaptive(3.0, every=4), [0, 0, 0, 13, 9, 0, 0, 0, 9, 9, 9])
    assert weights == pytest.approx([1, 1, 1, 1.1, 1.1, 1.1, 1.1, 0.99, 0.99, 0.99, 0.99])
    assert state.tolist() == pytest.approx([0.99, 27, 3])


def test_pi_at_its_target_has_half_its_proportional_part():
    assert run(ProportionalIntegral(3.0, kp=0.2, low=1.0), [3.0, 3.0])[0] == pytest.approx([1.1, 1.1])


def test_pi_pushes_harder_the_higher_the_rate():
    weights = [run(ProportionalIntegral(3.0, low=1.0), [rate])[0][0] for rate in (0.0, 2.0, 3.0, 4.0, 9.0)]
    assert weights == sorted(weights)
    assert len(set(weights)) == 5


def test_geco_starts_its_average_as_the_first_excess():
    average = run(Geco(20.0), [25.0])[1][1].item()
    assert average == pytest.approx(5.0, rel=1e-6)
    assert run(Geco(20.0), [25.0, 20.0])[1][1].item() == pytest.approx(0.99 * 5.0, rel=1e-6)


@pytest.mark.parametrize(("measured", "factor"), [(1e6, math.exp(-0.1)), (-1e6, math.exp(0.1))])
def test_geco_moves_by_no_more_than_its_limit(measured, factor):
    assert run(Geco(20.0), [measured])[0] == pytest.approx([factor], rel=1e-6)


# anti-windup


@pytest.mark.parametrize(("pushing", "turned"), [(20.0, 2.9), (0.0, 3.1)])
def test_pi_leaves_its_bound_at_the_first_step_after_the_error_turns(pushing, turned):
    controller = ProportionalIntegral(3.0, kp=0.01, ki=0.001, low=0.1, high=1.5)
    bound = float(controller.high if pushing > turned else controller.low)
    measured = [pushing] * 10_000 + [turned] * 3
    weights, without = run(controller, measured)[0], pi_by_hand(controller, measured)
    assert weights[9_000:10_000] == pytest.approx([bound] * 1000, abs=1e-9)
    away = [abs(weight - bound) for weight in weights[10_000:]]
    assert 1e-3 < away[0] < away[1] < away[2]
    assert without[9_000:].tolist() == [bound] * 1003


@pytest.mark.parametrize("measured", [1e5, 1e9])
def test_pi_goes_all_the_way_to_its_bound_in_one_step(measured):
    """A step that would overshoot is cut at the bound, not left out: the weight must not stay where it was."""
    controller = ProportionalIntegral(3.0, low=0.2, high=2.0)
    assert run(controller, [measured])[0] == [2.0]
    assert run(controller, [measured] * 3)[0] == [2.0] * 3
    assert run(ProportionalIntegral(1e5, low=0.2, high=2.0), [1e9, 0.0])[0] == [2.0, pytest.approx(0.2)]


def test_pi_between_its_bounds_is_not_touched_by_them():
    measured = 3 + np.sin(np.arange(500))
    wide, narrow = (ProportionalIntegral(3.0, low=1.0, high=high) for high in (100.0, 1.1))
    assert run(wide, measured)[0] == run(narrow, measured)[0]


# closed loop


def settled(controller, answer, steps=3000, lag=0.1):
    """What a plant ends with that goes to ``answer(weight)`` with a first-order lag: mean and spread at the end."""
    state, weight, figure, figures = controller.start(), controller.start()[0] * 0 + 1.0, 0.0, []
    for _ in range(steps):
        figure += lag * (answer(float(weight)) - figure)
        state, weight = controller(state, torch.tensor(figure))
        figures.append(figure)
    return np.mean(figures[-500:]), np.ptp(figures[-500:])


@pytest.mark.parametrize("target", [1.0, 3.0, 8.0])
def test_pi_holds_the_rate_of_a_plant_at_its_target(target):
    mean, spread = settled(ProportionalIntegral(target, ki=0.005), lambda weight: 1 / (0.1 + weight))
    assert mean == pytest.approx(target, rel=1e-3)
    assert spread < 1e-2 * target


@pytest.mark.parametrize("target", [0.5, 3.0, 8.0])
def test_adaptive_holds_the_rate_of_a_plant_about_its_target(target):
    """It goes up and down by tenths, so it ends in or about its band."""
    mean, spread = settled(Adaptive(target, every=20), lambda weight: 1 / (0.1 + weight))
    assert mean == pytest.approx(1.025 * target, rel=0.05)
    assert spread < 0.25 * target


@pytest.mark.parametrize("target", [16.0, 20.0, 24.0])
def test_geco_holds_the_distortion_of_a_plant_at_its_target(target):
    mean, spread = settled(Geco(target), lambda weight: 15 + 10 * weight / (1 + weight))
    assert mean == pytest.approx(target, rel=1e-3)
    assert spread < 1e-2 * target


@pytest.mark.parametrize(
    ("controller", "answer", "bound"),
    [
        (Adaptive(3.0, every=1, high=1.0), lambda weight: 7 - weight, 1.0),  # never harder than the ELBO
        (Adaptive(3.0, every=1, low=0.01), lambda weight: 1 - 0.1 * weight, 0.01),
        (ProportionalIntegral(3.0, ki=0.01, high=2.0), lambda weight: 7 - weight, 2.0),
        (ProportionalIntegral(3.0, low=0.5), lambda weight: 1 - 0.1 * weight, 0.5),
        (Geco(5.0, low=0.01), lambda weight: 15 + weight, 0.01),
        (Geco(50.0, high=40.0), lambda weight: 15 + 0.1 * weight, 40.0),
    ],
)
def test_weight_rests_at_its_bound_when_the_target_is_out_of_reach(controller, answer, bound):
    controller = copy.deepcopy(controller).double()
    weight, weights, state = 1.0, [], controller.start()
    for _ in range(800):
        state, weight = controller(state, torch.tensor(answer(float(weight)), dtype=torch.float64))
        weights.append(weight.item())
    assert controller.low <= min(weights) <= max(weights) <= controller.high
    assert weights[-1] == pytest.approx(bound, rel=1e-6)


# what all of them keep


@every_law
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtype_stay(law, dtype):
    controller = copy.deepcopy(LAWS[law]).to(dtype)
    state = controller.start()
    after, weight = controller(state, torch.tensor(7.0, dtype=dtype))
    assert after.shape == state.shape == (1 if law == "pi" else 3,)
    assert weight.shape == ()
    assert after.dtype == weight.dtype == dtype


@every_law
def test_float32_follows_float64(law):
    controller, state = LAWS[law], LAWS[law].start()
    measured = measurements(100) / 8 + (18 if law == "geco" else 0.5)
    for value in measured:
        state, weight = controller(state, torch.tensor(value, dtype=torch.float32))
    assert weight.item() == pytest.approx(run(controller, measured)[0][-1], rel=1e-4)


@every_law
def test_nothing_but_the_answer_changes(law):
    controller = LAWS[law]
    state = run(controller, [3.5, 2.0, 3.2])[1]
    before, rng = state.clone(), torch.get_rng_state()
    first, second = (controller(state, torch.tensor(3.2)) for _ in range(2))
    assert torch.equal(state, before)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert not torch.equal(first[0], before)
    first[0].zero_()
    assert torch.equal(state, before)  # the answer is no view of it
    assert torch.equal(torch.get_rng_state(), rng)


@every_law
def test_a_stack_of_states_goes_as_each_alone(law):
    controller = LAWS[law]
    states = torch.stack([run(controller, measurements(n, seed=n))[1] for n in (1, 2, 3, 8)])
    measured = torch.tensor([1.0, 2.9, 3.1, 35.0], dtype=torch.float64)
    stacked = torch.func.vmap(controller)(states, measured)
    singles = [controller(*pair) for pair in zip(states, measured, strict=True)]
    for part, alone in zip(stacked, zip(*singles, strict=True), strict=True):
        torch.testing.assert_close(part, torch.stack(alone), rtol=0, atol=0)


OTHERS = {
    "adaptive": Adaptive(9.0, step=0.3, tolerance=0.5, every=3, low=0.5, high=1.5, start_weight=0.7),
    "pi": ProportionalIntegral(9.0, kp=0.2, ki=0.5, low=0.3, high=5.0),
    "geco": Geco(7.0, speed=0.1, memory=0.5, low=0.8, high=1.1, start_weight=0.9),
}
NUMBERS = {
    "adaptive": {"target", "step", "tolerance", "every", "low", "high", "start_weight"},
    "pi": {"target", "kp", "ki", "low", "high"},
    "geco": {"target", "speed", "memory", "low", "high", "start_weight"},
}


def several_steps(controller, measured):
    """All weights of a row of measurements (N,), from the start, as one pure function."""
    state, weights = controller.start(), []
    for value in measured:
        state, weight = controller(state, value)
        weights.append(weight)
    return torch.stack(weights)


@every_law
def test_every_number_is_a_scalar_buffer(law):
    buffers = dict(LAWS[law].named_buffers())
    assert set(buffers) == NUMBERS[law]
    assert all(buffer.shape == () for buffer in buffers.values())
    assert not [name for name, value in vars(LAWS[law]).items() if isinstance(value, float)]


@pytest.mark.parametrize(("law", "name"), [(law, name) for law in NUMBERS for name in sorted(NUMBERS[law])])
def test_every_number_moves_the_weights(law, name):
    measured = torch.tensor([25.0] * 20 + [4.0] * 20 + [0.0] * 60)  # to the one bound, near a target, to the other
    changed = copy.deepcopy(LAWS[law])
    dict(changed.named_buffers())[name].copy_(dict(OTHERS[law].named_buffers())[name])
    assert not torch.allclose(several_steps(changed, measured), several_steps(LAWS[law], measured))


@every_law
def test_stacked_controllers_go_as_each_alone(law, check_compiles_and_stacks):
    """Different numbers under one vmap, and one compiled graph."""
    pair = [LAWS[law], OTHERS[law]]
    for measured in (1.0, 3.1, 35.0):
        state = run(LAWS[law], measurements(3))[1].float()
        for part in (0, 1):
            check_compiles_and_stacks(pair, state, torch.tensor(measured), read=lambda out, part=part: out[part])


@every_law
def test_changing_a_number_recompiles_nothing(law):
    torch._dynamo.reset()
    controller, counter = copy.deepcopy(LAWS[law]), CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(controller, fullgraph=True, backend=counter)
    state, measured = controller.start(), torch.tensor(7.0)
    for name, value in [("target", 3.0), *((name, buffer) for name, buffer in OTHERS[law].named_buffers())]:
        dict(controller.named_buffers())[name].fill_(value)
        torch.testing.assert_close(compiled(state, measured), controller(state, measured))
    assert counter.frame_count == 1


@every_law
def test_a_run_goes_on_from_its_state_alone(law):
    measured = measurements(50)
    whole, end = run(LAWS[law], measured)
    first, state = run(LAWS[law], measured[:23])
    second, resumed = run(LAWS[law], measured[23:], state)
    assert first + second == whole
    assert torch.equal(resumed, end)


@pytest.mark.parametrize(("law", "measures"), [("adaptive", "rate"), ("pi", "rate"), ("geco", "distortion")])
def test_each_law_says_what_it_is_fed(law, measures):
    assert LAWS[law].measures == measures


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adaptive(0.0), "target=0.0"),
        (lambda: Adaptive(-1), "target=-1"),
        (lambda: Adaptive(3, step=0), "step=0"),
        (lambda: Adaptive(3, step=1.0), "step=1.0"),
        (lambda: Adaptive(3, tolerance=-0.1), "tolerance=-0.1"),
        (lambda: Adaptive(3, every=0), "every=0"),
        (lambda: Adaptive(3, every=1.5), "every=1.5"),
        (lambda: Adaptive(3, low=0), "low=0"),
        (lambda: Adaptive(3, low=2, high=2), "high=2"),
        (lambda: Adaptive(3, high=0.5), "start_weight=1.0"),
        (lambda: Adaptive(3, start_weight=math.nan), "start_weight=nan"),
        (lambda: ProportionalIntegral(0), "target=0"),
        (lambda: ProportionalIntegral(3, kp=-0.1), "kp=-0.1"),
        (lambda: ProportionalIntegral(3, ki=-0.001), "ki=-0.001"),  # the sign of their K_i is part of the law
        (lambda: ProportionalIntegral(3, low=-1), "low=-1"),
        (lambda: ProportionalIntegral(3, low=5, high=1), "high=1"),
        (lambda: Geco(math.inf), "target=inf"),
        (lambda: Geco("20"), "target=20"),
        (lambda: Geco(20, speed=0), "speed=0"),
        (lambda: Geco(20, memory=1), "memory=1"),
        (lambda: Geco(20, memory=-0.1), "memory=-0.1"),
        (lambda: Geco(20, low=0), "low=0"),
        (lambda: Geco(20, low=3, high=3), "high=3"),
        (lambda: Geco(20, start_weight=1e5), "start_weight=100000.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=f"^{message}: must be"):
        make()
