"""Ways through the latent space against their geometry."""

import math

import pytest
import torch
from scipy.stats import norm

from vae_lab.latent_space import axis_by_axis, closed_path, lerp, quantile_grid, slerp


def vectors(seed, dims=16):
    return torch.randn(2, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_lerp_is_even_and_straight():
    start, stop = vectors(0)
    way = lerp(start, stop, 5)
    torch.testing.assert_close(way.diff(dim=0), ((stop - start) / 4).expand(4, -1))
    torch.testing.assert_close(way[[0, -1]], torch.stack([start, stop]))


@pytest.mark.parametrize("seed", range(5))
def test_slerp_turns_by_even_angles_and_its_length_is_a_line(seed):
    start, stop = vectors(seed)
    way = slerp(start, stop, 7)
    torch.testing.assert_close(way[[0, -1]], torch.stack([start, stop]))
    unit = way / way.norm(dim=1, keepdim=True)
    angles = (unit[1:] * unit[:-1]).sum(1).acos()
    torch.testing.assert_close(angles, angles[:1].expand(6))
    torch.testing.assert_close(way.norm(dim=1), lerp(start.norm()[None], stop.norm()[None], 7)[:, 0])


@pytest.mark.parametrize("stop", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
def test_slerp_of_vectors_on_one_line_is_the_line(stop):
    start, stop = torch.tensor([1.0, 0.0]), torch.tensor(stop)
    torch.testing.assert_close(slerp(start, stop, 4), lerp(start, stop, 4))


def test_slerp_of_nearly_parallel_vectors_stays_exact():
    start, stop = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([1.0, 1e-5], dtype=torch.float64)
    torch.testing.assert_close(slerp(start, stop, 3)[1], lerp(start, stop, 3)[1], rtol=1e-9, atol=1e-9)


def test_axis_by_axis_moves_one_coordinate_at_a_time_in_the_order_given():
    start, stop = torch.zeros(3), torch.tensor([1.0, 2.0, 3.0])
    way = axis_by_axis(start, stop, steps=4, order=[2, 0])
    moved = (way.diff(dim=0) != 0).int()
    assert moved.argmax(1).tolist() == [2] * 4 + [0] * 4
    assert (moved.sum(1) == 1).all()
    assert way[-1].tolist() == [1.0, 0.0, 3.0]


def test_a_closed_path_is_smooth_where_it_closes():
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    way = closed_path(points, steps=200)
    torch.testing.assert_close(way[::200], points)
    around = torch.cat([way[-3:], way[:3]])
    assert around.diff(dim=0).diff(dim=0).norm(dim=1).max() < 1e-2 * around.diff(dim=0).norm(dim=1).max() * 5


def test_the_grid_is_even_in_probability():
    grid = quantile_grid(9, mass=0.9).double()
    levels = torch.from_numpy(norm.cdf(grid.numpy()))
    torch.testing.assert_close(levels.diff(), torch.full((8,), 0.9 / 8, dtype=torch.float64), atol=1e-6, rtol=0)
    assert math.isclose(float(levels[0]), 0.05, abs_tol=1e-6)


def test_what_makes_no_way_is_refused():
    with pytest.raises(ValueError, match="size=1"):
        quantile_grid(1)
    with pytest.raises(ValueError, match="mass=1"):
        quantile_grid(5, mass=1.0)
    with pytest.raises(ValueError, match="steps=1"):
        lerp(*vectors(0), 1)
