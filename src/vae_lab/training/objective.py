"""What a run's objective and data say beyond its metrics: the evidence of a diagnosis, and the theory it obeys."""

import math
from typing import Any

import numpy as np
import torch

from vae_lab.data import ImageData
from vae_lab.elbo.likelihoods import Gaussian, Likelihood
from vae_lab.elbo.penalties import Controlled, FreeBits, Penalty, Plain
from vae_lab.linear_theory.optimum import learned_variance, optimum
from vae_lab.linear_theory.spectrum import Floats, spectrum
from vae_lab.models import BNVAE, VAE, BetaVAE
from vae_lab.networks import LinearDecoder, LinearEncoder


def objective(end: float, model: VAE, data: ImageData) -> dict[str, Any]:
    """What the run minimised at its end, and what its data can pay for: the evidence of a diagnosis.

    ``effective_beta`` is what one nat of rate weighs against one nat of distortion. ``spectrum`` holds the eigenvalues
    that it is compared with (``vae_lab.spectrum``), as many as there are latents.
    """
    likelihood, pixels = model.likelihood, math.prod(data.image_shape)
    rate_weight = float(model.rate_weight())
    averaged = pixels if model.distortion_reduction == "mean" else 1
    return {
        "model": type(model).__name__,
        "likelihood": type(likelihood).__name__,
        "variance": variance_of(likelihood),
        "learned_variance": isinstance(likelihood, Gaussian) and likelihood.learned,
        "pixels": pixels,
        "distortion_reduction": model.distortion_reduction,
        "kl_weight": float(model.kl_weight),
        "rate_weight": rate_weight,
        "price": model.penalty.price(),
        "effective_beta": averaged * rate_weight * float(model.kl_weight) * model.penalty.price(),
        "distortion_target": distortion_target(model.penalty),
        "autoregressive": model.autoregressive,
        "linear": isinstance(model.encoder, LinearEncoder) and isinstance(model.decoder, LinearDecoder),
        "spectrum": data_spectrum(model, data)[: model.latent_dim].tolist(),
        "schedule_end": end if math.isfinite(end) else 0,
    }


def distortion_target(penalty: Penalty) -> float | None:
    """The distortion, nats per image, at which a controller holds the model; None where there is none."""
    if isinstance(penalty, Controlled) and penalty.controller.measures == "distortion":
        return penalty.controller.target
    return None


def theory(model: VAE, data: ImageData) -> dict[str, Any]:
    """What the theory says of a linear Gaussian VAE on these data, as the entry ``theory``; empty for all others.

    ``rate_dim`` is sorted by eigenvalue, falling. Diagonal networks see each pixel on its own: the eigenvalues are the
    pixels' variances then. ``exact`` is false where the formula holds for diagonal networks only and these are not:
    they end with a loss at or below its.
    """
    likelihood, encoder, decoder = model.likelihood, model.encoder, model.decoder
    if not (isinstance(encoder, LinearEncoder) and isinstance(decoder, LinearDecoder)):
        return {}
    diagonal = encoder.weight.ndim == 1
    beta = float(model.rate_weight()) * float(model.kl_weight)
    known = type(model) in (VAE, BetaVAE, BNVAE) and model.distortion_reduction == "sum" and beta > 0
    fits = isinstance(likelihood, Gaussian) and model.latent_dim <= math.prod(data.image_shape)
    if not (known and fits) or diagonal != (decoder.weight.ndim == 1):
        return {}
    x = data.training_sample().flatten(1).double().numpy()
    eigenvalues = pixelwise(x, model.latent_dim) if diagonal else spectrum(x, np.ones(x.shape[1]))
    variance = variance_of(likelihood)
    if isinstance(likelihood, Gaussian) and likelihood.learned:
        plain = isinstance(model.penalty, Plain) and not isinstance(model, BNVAE)
        variance = learned_variance(eigenvalues, beta, model.latent_dim) if plain else None
    gamma = float(model.gamma) if isinstance(model, BNVAE) else None
    best = variance and optimum(eigenvalues, variance, beta, model.latent_dim, model.penalty, gamma)
    if not best:
        return {}
    shared = isinstance(model, BNVAE) or (isinstance(model.penalty, FreeBits) and model.penalty.mode == "dimension")
    return {
        "theory": {
            "rate_dim": best.rates.tolist(),
            "distortion": best.distortion,
            "collapsed": best.collapsed,
            "squared_error": best.squared_error,
            "variance": best.variance,
            "eigenvalues": eigenvalues.tolist(),
            "exact": not shared or diagonal,
        }
    }


def pixelwise(x: Floats, latent_dim: int) -> Floats:
    """The variances (P,) of the pixels of x (N, P): of the first D, which have a latent, falling; then the rest."""
    variances = x.var(0)
    return np.concatenate([np.sort(variances[:latent_dim])[::-1], variances[latent_dim:]])


def variance_of(likelihood: Likelihood) -> float | None:
    """A Gaussian's σ² as it is now, in squared pixel units; None for other likelihoods."""
    return float(likelihood.log_variance.detach().exp()) if isinstance(likelihood, Gaussian) else None


def data_spectrum(model: VAE, data: ImageData) -> Floats:
    """Eigenvalues (P,) of the training images in units of the likelihood's pixel variance; see ``vae_lab.spectrum``.

    None, (0,), where their theory does not hold: decoders that read pixels, likelihoods without such a variance.
    """
    if model.autoregressive:
        return np.zeros(0)
    x = data.training_sample()
    variance = model.likelihood.pixel_variance(x.mean(0).to(model.device))
    if variance is None:
        return np.zeros(0)
    return spectrum(x.flatten(1).double().numpy(), variance.clamp(min=1e-4).flatten().double().cpu().numpy())


def mean_image_distortion(model: VAE, data: ImageData) -> float:
    """Test distortion, nats per image, of a decoder that always answers with the mean training image."""
    mean, variance = data.train_moments()
    batches = [batch.x.to(model.device) for batch in data.eval_stream("test")]
    with torch.no_grad():
        scores = [model.likelihood.constant_distortion(x, mean.to(x), variance).double() for x in batches]
    return float(torch.cat(scores).mean())
