"""Penalties: every mode by hand and against numpy, and where their gradients are flat."""

import copy

import numpy as np
import pytest
import torch

from vae_lab.elbo.controllers import Adaptive, Geco, ProportionalIntegral
from vae_lab.elbo.penalties import CapacityPenalty, ControlledPenalty, FreeBitsPenalty, PlainPenalty

# (B, D) = (3, 2); column means 0.3 and 1.2, row sums 0.7, 1.4, 2.4
RATE = torch.tensor([[0.1, 0.6], [0.2, 1.2], [0.6, 1.8]], dtype=torch.float64)
BY_HAND = [  # mode, epsilon, penalty
    ("dimension", 0.5, 0.5 + 1.2),
    ("dimension", 2.0, 2.0 + 2.0),
    ("sample", 0.5, (1.1 + 1.7 + 2.4) / 3),
    ("sample", 1.0, (2.0 + 2.2 + 2.8) / 3),
    ("total", 0.5, 1.5),
    ("total", 2.0, 2.0),
]
NUMPY = {
    "dimension": lambda rate, epsilon: np.maximum(rate.mean(0), epsilon).sum(),
    "sample": lambda rate, epsilon: np.maximum(rate, epsilon).sum(1).mean(),
    "total": lambda rate, epsilon: max(rate.sum(1).mean(), epsilon),
}


def random_rate(seed, shape=(7, 5)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).square()


def test_plain_sums_over_dimensions_and_averages_over_the_batch():
    assert PlainPenalty()(RATE).item() == pytest.approx(1.5)


def test_plain_is_no_floor():
    assert PlainPenalty().floor(5) == 0


@pytest.mark.parametrize(("mode", "epsilon", "expected"), BY_HAND)
def test_free_bits_by_hand(mode, epsilon, expected):
    assert FreeBitsPenalty(mode, epsilon)(RATE).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mode", FreeBitsPenalty.modes)
@pytest.mark.parametrize("epsilon", [0.0, 0.25, 0.8, 3.0, 6.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_free_bits_equals_numpy(mode, epsilon, seed):
    rate = random_rate(seed)
    assert FreeBitsPenalty(mode, epsilon).double()(rate).item() == pytest.approx(
        NUMPY[mode](rate.numpy(), np.float32(epsilon)), rel=1e-12
    )


@pytest.mark.parametrize("mode", FreeBitsPenalty.modes)
def test_no_free_bits_is_plain(mode):
    rate = random_rate(3)
    assert FreeBitsPenalty(mode, 0.0)(rate).item() == pytest.approx(PlainPenalty()(rate).item(), rel=1e-14)


def test_modes_are_ordered():
    rate = random_rate(4)
    dimension, sample = (FreeBitsPenalty(mode, 1)(rate) for mode in ("dimension", "sample"))
    assert PlainPenalty()(rate) < dimension < sample  # a maximum of means is at most the mean of maxima


@pytest.mark.parametrize("mode", FreeBitsPenalty.modes)
def test_below_epsilon_no_gradient(mode):
    rate = RATE.clone().requires_grad_()
    FreeBitsPenalty(mode, 4.0)(rate).backward()
    assert rate.grad.count_nonzero() == 0


def test_gradient_reaches_exactly_what_lies_above_epsilon():
    gradients = {}
    for mode in FreeBitsPenalty.modes:
        rate = RATE.clone().requires_grad_()
        FreeBitsPenalty(mode, 0.5)(rate).backward()
        gradients[mode] = (rate.grad * len(rate)).tolist()
    assert gradients["dimension"] == pytest.approx(np.array([[0, 1], [0, 1], [0, 1]]))
    assert gradients["sample"] == pytest.approx(np.array([[0, 1], [0, 1], [1, 1]]))
    assert gradients["total"] == pytest.approx(np.ones((3, 2)))


@pytest.mark.parametrize(("mode", "floor"), [("dimension", 0.5 * 6), ("sample", 0.5 * 6), ("total", 0.5)])
def test_floor_is_the_least_penalty_per_image(mode, floor):
    penalty = FreeBitsPenalty(mode, 0.5)
    assert penalty.floor(6) == pytest.approx(floor)
    assert penalty(torch.zeros(4, 6)).item() == pytest.approx(floor)


@pytest.mark.parametrize("mode", FreeBitsPenalty.modes)
def test_epsilon_is_a_buffer_that_the_penalty_reads(mode):
    penalty = FreeBitsPenalty(mode, 0.1)
    assert dict(penalty.named_buffers())["epsilon"].shape == ()
    penalty.epsilon.fill_(5.0)
    assert penalty(RATE).item() == pytest.approx(penalty.floor(2)) == pytest.approx(5.0 if mode == "total" else 10.0)


@pytest.mark.parametrize(
    ("capacity", "gamma", "expected"), [(1.0, 10.0, 5.0), (2.0, 10.0, 5.0), (1.5, 10.0, 0.0), (0.0, 1.0, 1.5)]
)
def test_capacity_by_hand(capacity, gamma, expected):
    assert CapacityPenalty(capacity, gamma)(RATE).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("capacity", [0.5, 5.0, 50.0])
def test_capacity_equals_numpy(capacity, seed):
    rate = random_rate(seed)
    expected = 2 * abs(rate.numpy().sum(1).mean() - capacity)
    assert CapacityPenalty(capacity, 2.0)(rate).item() == pytest.approx(expected, rel=1e-6)


def test_capacity_is_of_the_batch_mean_not_of_each_image():
    near = pytest.approx(0, abs=1e-6)  # the mean over |0.7 - C|, ... would be 0.6
    assert CapacityPenalty(1.5, 1.0)(RATE).item() == near
    assert np.abs(RATE.numpy().sum(1) - 1.5).mean() == pytest.approx(0.6)


@pytest.mark.parametrize(("capacity", "sign"), [(1.0, 1), (2.0, -1)])
def test_capacity_pulls_the_rate_to_it_from_both_sides(capacity, sign):
    """Every rate feels the same slope, those of images on the other side too: 0.7 < 1 < 1.5 < 2 < 2.4."""
    rate = RATE.clone().requires_grad_()
    CapacityPenalty(capacity, 10.0)(rate).backward()
    assert (rate.grad * len(rate)).tolist() == pytest.approx(np.full((3, 2), sign * 10.0))


def test_capacity_prices_and_floors():
    penalty = CapacityPenalty(2.5, 7.0)
    assert (penalty.floor(4), penalty.price()) == (2.5, -7.0)
    assert (PlainPenalty().price(), FreeBitsPenalty().price()) == (1.0, 1.0)


def test_capacity_and_gamma_are_buffers_that_the_penalty_reads():
    penalty = CapacityPenalty(1.0, 10.0)
    assert {name: tuple(b.shape) for name, b in penalty.named_buffers()} == {"capacity": (), "gamma": ()}
    penalty.capacity.fill_(2.5)
    assert (penalty(RATE).item(), penalty.floor(2)) == (pytest.approx(10.0), 2.5)
    penalty.gamma.fill_(3.0)
    assert (penalty(RATE).item(), penalty.price()) == (pytest.approx(3.0), -3.0)


CONTROLLERS = {
    "adaptive": Adaptive(3.0, every=2, start_weight=0.5),
    "pi": ProportionalIntegral(3.0, kp=0.4, low=0.1),
    "geco": Geco(3.0, start_weight=2.0),
}
STARTS = {"adaptive": 0.5, "pi": 0.3, "geco": 2.0}
every_controller = pytest.mark.parametrize("law", CONTROLLERS)


@every_controller
def test_controlled_starts_with_the_weight_of_its_target(law):
    penalty = ControlledPenalty(CONTROLLERS[law])
    assert penalty(RATE).item() == pytest.approx(STARTS[law] * 1.5)
    assert penalty.price() == pytest.approx(STARTS[law])
    assert torch.equal(penalty.state, CONTROLLERS[law].start())


@every_controller
def test_controlled_takes_a_whole_number_as_target(law):
    ControlledPenalty(type(CONTROLLERS[law])(3)).observe(torch.tensor(7.0))


@every_controller
def test_controlled_gradient_is_its_weight(law):
    rate = RATE.clone().requires_grad_()
    ControlledPenalty(CONTROLLERS[law])(rate).backward()
    assert (rate.grad * len(rate)).tolist() == pytest.approx(np.full((3, 2), STARTS[law]))


@every_controller
def test_only_what_holds_the_rate_has_a_floor(law):
    assert ControlledPenalty(CONTROLLERS[law]).floor(7) == (0.0 if law == "geco" else 3.0)


@every_controller
def test_observing_moves_state_and_weight_in_place_and_keeps_no_graph(law):
    penalty = ControlledPenalty(CONTROLLERS[law])
    places, start = (penalty.state.data_ptr(), penalty.weight.data_ptr()), penalty.state.clone()
    for measured in (9.0, 8.0, 7.0):
        penalty.observe(torch.tensor(measured, requires_grad=True))
    assert (penalty.state.data_ptr(), penalty.weight.data_ptr()) == places
    assert not penalty.state.requires_grad and not penalty.weight.requires_grad
    state, expected = start, None
    for measured in (9.0, 8.0, 7.0):
        state, expected = CONTROLLERS[law](state, torch.tensor(measured))
    assert torch.equal(penalty.state, state) and torch.equal(penalty.weight, expected)
    assert penalty.weight.item() != pytest.approx(STARTS[law], rel=1e-4)


@every_controller
def test_control_goes_on_from_its_state_dict(law):
    penalty, other = ControlledPenalty(CONTROLLERS[law]), ControlledPenalty(CONTROLLERS[law])
    for measured in (9.0, 8.0, 7.0):
        penalty.observe(torch.tensor(measured))
    state = copy.deepcopy(penalty.state_dict())
    assert {"state", "weight", "controller.target"} <= set(state)
    other.load_state_dict(state)
    for measured in (1.0, 6.0):
        penalty.observe(torch.tensor(measured))
        other.observe(torch.tensor(measured))
    assert torch.equal(penalty.state, other.state) and torch.equal(penalty.weight, other.weight)


@every_controller
def test_two_penalties_share_nothing(law):
    one, other = ControlledPenalty(CONTROLLERS[law]), ControlledPenalty(CONTROLLERS[law])
    one.observe(torch.tensor(9.0))
    assert torch.equal(other.state, CONTROLLERS[law].start())


def test_bad_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^mode=dimensions: must be one of .*did you mean dimension"):
        FreeBitsPenalty("dimensions")
    with pytest.raises(ValueError, match=r"^epsilon=-0\.1: must be a finite number >= 0"):
        FreeBitsPenalty(epsilon=-0.1)
    with pytest.raises(ValueError, match=r"^capacity=-1: must be a finite number >= 0"):
        CapacityPenalty(-1)
    with pytest.raises(ValueError, match=r"^gamma=0: must be a finite number > 0"):
        CapacityPenalty(3.0, 0)


def test_only_the_rate_itself_is_plain():
    others = FreeBitsPenalty(epsilon=0.0), CapacityPenalty(1.0), ControlledPenalty(Adaptive(3.0))
    assert PlainPenalty().plain
    assert not any(penalty.plain for penalty in others)


@every_controller
def test_only_what_holds_the_distortion_has_a_target_of_it(law):
    assert ControlledPenalty(CONTROLLERS[law]).distortion_target() == (3.0 if law == "geco" else None)
    assert FreeBitsPenalty().distortion_target() is None


@every_controller
def test_a_number_of_the_controller_moves_with_the_state_dict(law):
    kind = type(CONTROLLERS[law])
    penalty, other = ControlledPenalty(kind(3.0)), ControlledPenalty(kind(5.0))
    other.load_state_dict(penalty.state_dict())
    assert other.controller.target == 3.0
