"""Latents in rows and columns."""

import torch

from vae_lab.latent_space import plane, traversals


def test_a_plane_runs_to_the_right_and_upwards():
    base = torch.tensor([9.0, 8.0, 7.0])
    grid = plane(base, (2, 0), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0, 1.0]))
    assert grid.shape == (2, 3, 3)
    assert grid[0, :, 2].tolist() == [1.0, 2.0, 3.0]
    assert grid[:, 0, 0].tolist() == [1.0, -1.0], "the uppermost row has the largest value"
    assert (grid[..., 1] == 8.0).all()
    assert base.tolist() == [9.0, 8.0, 7.0]


def test_one_dimension_gives_one_row():
    assert plane(torch.zeros(1), [0], torch.arange(4.0)).tolist() == [[[0.0], [1.0], [2.0], [3.0]]]


def test_traversals_move_one_dimension_a_row():
    rows = traversals(torch.tensor([5.0, 6.0, 7.0]), [2, 0], torch.tensor([-1.0, 1.0]))
    assert rows.tolist() == [[[5.0, 6.0, -1.0], [5.0, 6.0, 1.0]], [[-1.0, 6.0, 7.0], [1.0, 6.0, 7.0]]]
