"""The principal plane."""

import torch

from vae_lab.latent_space import principal_plane


def test_it_finds_the_two_directions_of_most_variance():
    z = torch.zeros(400, 5)
    generator = torch.Generator().manual_seed(0)
    z[:, 3] = 3 * torch.randn(400, generator=generator)
    z[:, 1] = torch.randn(400, generator=generator)
    z += torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    plane = principal_plane(z)
    torch.testing.assert_close(plane.axes.abs(), torch.eye(5)[[3, 1]], atol=0.05, rtol=0)
    torch.testing.assert_close(plane.points(z).mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(plane.points(z).var(0), z.var(0)[[3, 1]], rtol=0.01, atol=0)
    assert plane.shares[0] > 0.8


def test_covariances_are_projected_like_points():
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(500, 4, generator=generator) * torch.tensor([3.0, 1.0, 0.5, 2.0])
    plane = principal_plane(z)
    torch.testing.assert_close(plane.covariance(torch.cov(z.T)), torch.cov(plane.points(z).T), rtol=1e-3, atol=1e-3)
