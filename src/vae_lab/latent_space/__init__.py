"""The latent space of a trained model: where images lie in it, and ways through it."""

from vae_lab.latent_space.paths import axis_by_axis, closed_path, lerp, quantile_grid, slerp
from vae_lab.latent_space.posteriors import Posteriors, posteriors

__all__ = ["Posteriors", "axis_by_axis", "closed_path", "lerp", "posteriors", "quantile_grid", "slerp"]
