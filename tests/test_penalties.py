"""Penalties: every mode by hand and against numpy, and where their gradients are flat."""

import numpy as np
import pytest
import torch

from vae_lab.penalties import FreeBits, Plain

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
    assert Plain()(RATE).item() == pytest.approx(1.5)


def test_plain_is_no_floor():
    assert Plain().floor(5) == 0


@pytest.mark.parametrize(("mode", "epsilon", "expected"), BY_HAND)
def test_free_bits_by_hand(mode, epsilon, expected):
    assert FreeBits(mode, epsilon)(RATE).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mode", FreeBits.modes)
@pytest.mark.parametrize("epsilon", [0.0, 0.25, 0.8, 3.0, 6.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_free_bits_equals_numpy(mode, epsilon, seed):
    rate = random_rate(seed)
    assert FreeBits(mode, epsilon).double()(rate).item() == pytest.approx(
        NUMPY[mode](rate.numpy(), np.float32(epsilon)), rel=1e-12
    )


@pytest.mark.parametrize("mode", FreeBits.modes)
def test_no_free_bits_is_plain(mode):
    rate = random_rate(3)
    assert FreeBits(mode, 0.0)(rate).item() == pytest.approx(Plain()(rate).item(), rel=1e-14)


def test_modes_are_ordered():
    rate = random_rate(4)
    plain, dimension, sample = (penalty(rate) for penalty in (Plain(), FreeBits("dimension", 1), FreeBits("sample", 1)))
    assert plain < dimension < sample  # a maximum of means is at most the mean of maxima


@pytest.mark.parametrize("mode", FreeBits.modes)
def test_below_epsilon_no_gradient(mode):
    rate = RATE.clone().requires_grad_()
    FreeBits(mode, 4.0)(rate).backward()
    assert rate.grad.count_nonzero() == 0


def test_gradient_reaches_exactly_what_lies_above_epsilon():
    gradients = {}
    for mode in FreeBits.modes:
        rate = RATE.clone().requires_grad_()
        FreeBits(mode, 0.5)(rate).backward()
        gradients[mode] = (rate.grad * len(rate)).tolist()
    assert gradients["dimension"] == pytest.approx(np.array([[0, 1], [0, 1], [0, 1]]))
    assert gradients["sample"] == pytest.approx(np.array([[0, 1], [0, 1], [1, 1]]))
    assert gradients["total"] == pytest.approx(np.ones((3, 2)))


@pytest.mark.parametrize(("mode", "floor"), [("dimension", 0.5 * 6), ("sample", 0.5 * 6), ("total", 0.5)])
def test_floor_is_the_least_penalty_per_image(mode, floor):
    penalty = FreeBits(mode, 0.5)
    assert penalty.floor(6) == pytest.approx(floor)
    assert penalty(torch.zeros(4, 6)).item() == pytest.approx(floor)


@pytest.mark.parametrize("mode", FreeBits.modes)
def test_epsilon_is_a_buffer_that_the_penalty_reads(mode):
    penalty = FreeBits(mode, 0.1)
    assert dict(penalty.named_buffers())["epsilon"].shape == ()
    penalty.epsilon.fill_(5.0)
    assert penalty(RATE).item() == pytest.approx(penalty.floor(2)) == pytest.approx(5.0 if mode == "total" else 10.0)


def test_bad_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^mode=dimensions: must be one of .*did you mean dimension"):
        FreeBits("dimensions")
    with pytest.raises(ValueError, match=r"^epsilon=-0\.1: must be a finite number >= 0"):
        FreeBits(epsilon=-0.1)
