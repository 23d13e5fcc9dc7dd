"""What the linear theory says of a model on its data."""

import math
from typing import Any

import numpy as np

from vae_lab.data import ImageData
from vae_lab.linear_theory.closed_forms import linear_optimum
from vae_lab.linear_theory.linear_vae import LinearVAE, Optimum, learned_variance
from vae_lab.linear_theory.spectrum import Floats, pixelwise, spectrum
from vae_lab.models import VAE
from vae_lab.networks.linear import linearity_of

LEAST_VARIANCE = 1e-4  # of a pixel under its likelihood: one that is nearly always 0 would count without bound


def data_spectrum(model: VAE, data: ImageData) -> Floats:
    """Eigenvalues (P,) of the training images in units of the likelihood's pixel variance; see ``spectrum``.

    None, (0,), where their theory does not hold: decoders that read pixels, likelihoods without such a variance.
    """
    if model.autoregressive:
        return np.zeros(0)
    x = data.training_sample()
    variance = model.likelihood.pixel_variance(x.mean(0).to(model.device))
    if variance is None:
        return np.zeros(0)
    return spectrum(x.flatten(1).double().numpy(), variance.clamp(min=LEAST_VARIANCE).flatten().double().cpu().numpy())


def theory(model: VAE, data: ImageData) -> dict[str, Any]:
    """What the theory says of a linear Gaussian VAE on these data, as the entry ``theory``; empty for all others.

    ``rate_dim`` is sorted by eigenvalue, falling. Diagonal networks see each pixel on its own: the eigenvalues are the
    pixels' variances then. ``exact`` is false where the formula holds for diagonal networks only and these are not:
    they end with a loss at or below its.
    """
    linearity = linearity_of(model.encoder, model.decoder)
    vae = linear_vae(model, data, linearity) if linearity else None
    best = linear_optimum(model, vae) if vae else None
    if vae is None or best is None:
        return {}
    return {"theory": entry(best, vae, exact=linearity == "diagonal" or not best.diagonal_only)}


def linear_vae(model: VAE, data: ImageData, linearity: str) -> LinearVAE | None:
    """The linear VAE that a model with linear networks is; None where its objective or likelihood are of another kind.

    A σ² that follows the data has a known end under the plain objective only.
    """
    beta, latent_dim = float(model.rate_weight()) * float(model.kl_weight), model.latent_dim
    summed, variance = model.distortion_reduction == "sum", model.likelihood.variance
    if not summed or variance is None or beta <= 0 or latent_dim > math.prod(data.image_shape):
        return None
    x = data.training_sample().flatten(1).double().numpy()
    eigenvalues = pixelwise(x, latent_dim) if linearity == "diagonal" else spectrum(x, np.ones(x.shape[1]))
    if model.likelihood.learned:
        plain = model.plain_elbo and model.penalty.plain
        variance = learned_variance(eigenvalues, beta, latent_dim) if plain else None
    return LinearVAE(eigenvalues, variance, beta, latent_dim) if variance else None


def entry(best: Optimum, vae: LinearVAE, exact: bool) -> dict[str, Any]:
    """The optimum as plain data."""
    return {
        "rate_dim": best.rates.tolist(),
        "distortion": best.distortion,
        "collapsed": best.collapsed,
        "squared_error": best.squared_error,
        "variance": best.variance,
        "eigenvalues": vae.eigenvalues.tolist(),
        "exact": exact,
    }
