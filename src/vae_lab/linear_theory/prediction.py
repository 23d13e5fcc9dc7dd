"""What the linear theory says of a model on its data."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vae_lab.data import ImageData
from vae_lab.linear_theory.closed_forms import linear_optimum
from vae_lab.linear_theory.linear_vae import LinearVAE, Optimum, learned_variance
from vae_lab.linear_theory.spectrum import Floats, pixelwise, spectrum
from vae_lab.models import VAE
from vae_lab.networks.linear import linearity_of

LEAST_VARIANCE = 1e-4  # of a pixel under its likelihood: one that is nearly always 0 would count without bound
MAX_VALUES = 50_000_000  # of the images that a spectrum is computed from: the bound of memory
FEWEST, MOST = 200, 10_000  # images that it is computed from


def data_eigenvalues(model: VAE, data: ImageData) -> Floats:
    """Eigenvalues (P,) of the training images in units of the likelihood's pixel variance; see ``spectrum``.

    A Gaussian's are in squared pixel units, since its σ² may follow the data; ``data_spectrum`` divides by it. None,
    (0,), where their theory does not hold: decoders that read pixels, likelihoods without such a variance.
    """
    if model.autoregressive:
        return np.zeros(0)
    x = training_sample(data)
    variance = model.likelihood.pixel_variance(torch.from_numpy(x.mean(0)).view(data.image_shape).to(model.device))
    if variance is None:
        return np.zeros(0)
    floor = variance.clamp(min=LEAST_VARIANCE).flatten().double().cpu().numpy()
    return spectrum(x, np.ones_like(floor) if model.likelihood.variance is not None else floor, model.latent_dim)


def data_spectrum(model: VAE, eigenvalues: Floats) -> Floats:
    """The eigenvalues (P,) that are compared with β: ``data_eigenvalues`` over the σ² of the collapsed state.

    There a σ² that follows the data is the variance of a pixel, Σλ/P, so that the limit is P λ_1/Σλ.
    """
    variance = collapsed_variance(model, eigenvalues)
    return eigenvalues / variance if variance else eigenvalues


def collapsed_variance(model: VAE, eigenvalues: Floats) -> float | None:
    """A Gaussian's σ² where the decoder answers with the mean image: Σλ/P where it is learnt; None for others."""
    if model.likelihood.variance is None or not len(eigenvalues):
        return None
    return model.likelihood.fitted_variance(float(eigenvalues.sum()) / len(eigenvalues))


def optimal_variance(model: VAE, eigenvalues: Floats, beta: float) -> float | None:
    """A Gaussian's σ² at the optimum of a linear VAE; None for other likelihoods, and where σ² goes to 0."""
    if model.likelihood.variance is None or not model.likelihood.learned:
        return model.likelihood.variance
    return learned_variance(eigenvalues, beta, model.latent_dim)


def training_sample(data: ImageData) -> NDArray[np.float32]:
    """Training images (N, P), at most 10,000 and fewer where images are large."""
    limit = max(MAX_VALUES // math.prod(data.image_shape), FEWEST)
    images: NDArray[np.float32] = data.training_sample(min(limit, MOST)).flatten(1).numpy()
    return images


def theory(model: VAE, data: ImageData, eigenvalues: Floats | None = None) -> dict[str, Any]:
    """What the theory says of a linear Gaussian VAE on these data, as the entry ``theory``; empty for all others.

    ``rate_dim`` is sorted by eigenvalue, falling. Diagonal networks see each pixel on its own: the eigenvalues are the
    pixels' variances then. ``exact`` is false where the formula holds for diagonal networks only and these are not:
    they end with a loss at or below its. ``eigenvalues`` are ``data_eigenvalues``, where they are known already.
    """
    linearity = linearity_of(model.encoder, model.decoder)
    vae = linear_vae(model, data, linearity, eigenvalues) if linearity else None
    best = linear_optimum(model, vae) if vae else None
    if vae is None or best is None:
        return {}
    return {"theory": entry(best, vae, exact=linearity == "diagonal" or not best.diagonal_only)}


def linear_vae(model: VAE, data: ImageData, linearity: str, known: Floats | None = None) -> LinearVAE | None:
    """The linear VAE that a model with linear networks is; None where its objective or likelihood are of another kind.

    A σ² that follows the data has a known end under the plain objective only.
    """
    beta, latent_dim = float(model.rate_weight()) * float(model.kl_weight), model.latent_dim
    summed, gaussian = model.distortion_reduction == "sum", model.likelihood.variance is not None
    followed = model.likelihood.learned and not (model.plain_elbo and model.penalty.plain)
    if not summed or not gaussian or followed or beta <= 0 or latent_dim > math.prod(data.image_shape):
        return None
    if linearity == "diagonal":
        eigenvalues = pixelwise(training_sample(data), latent_dim)
    else:
        eigenvalues = data_eigenvalues(model, data) if known is None else known
    variance = optimal_variance(model, eigenvalues, beta)
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
