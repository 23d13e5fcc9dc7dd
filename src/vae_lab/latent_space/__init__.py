"""The latent space of a trained model: where images lie in it, and ways through it."""

from vae_lab.latent_space.densities import aggregate_sample, prior_covariance
from vae_lab.latent_space.grids import plane, traversals
from vae_lab.latent_space.paths import axis_by_axis, closed_path, lerp, quantile_grid, slerp
from vae_lab.latent_space.posteriors import Posteriors, posteriors
from vae_lab.latent_space.principal import PrincipalPlane, principal_plane

__all__ = [
    "Posteriors",
    "PrincipalPlane",
    "aggregate_sample",
    "axis_by_axis",
    "closed_path",
    "lerp",
    "plane",
    "posteriors",
    "principal_plane",
    "prior_covariance",
    "quantile_grid",
    "slerp",
    "traversals",
]
