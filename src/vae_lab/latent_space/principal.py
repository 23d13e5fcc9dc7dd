"""The plane in which a cloud of latents spreads most. N points, D latent."""

from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA
from torch import Tensor


@dataclass(frozen=True)
class PrincipalPlane:
    """The first two principal axes of a cloud of points.

    Args:
        centre: the mean of the points, (D,).
        axes: orthonormal, (2, D).
        shares: of the variance that lies along each, (2,).
    """

    centre: Tensor
    axes: Tensor
    shares: Tensor

    def points(self, z: Tensor) -> Tensor:
        """Project z (..., D) to (..., 2)."""
        return (z - self.centre) @ self.axes.T

    def covariance(self, covariance: Tensor) -> Tensor:
        """Project covariance matrices (..., D, D) to (..., 2, 2)."""
        return self.axes @ covariance @ self.axes.T


def principal_plane(points: Tensor) -> PrincipalPlane:
    """The principal plane of points (N, D), D >= 2.

    Example:
        >>> cross = torch.tensor([[0.0, 0.0, -2.0], [0.0, 0.0, 2.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
        >>> principal_plane(cross).shares
        tensor([0.8000, 0.2000])
    """
    found = PCA(n_components=2, svd_solver="full").fit(points.double().cpu().numpy())
    parts = (found.mean_, found.components_, found.explained_variance_ratio_)
    return PrincipalPlane(*(torch.from_numpy(part).to(points) for part in parts))
