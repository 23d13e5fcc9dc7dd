"""What a run's objective says beyond its metrics: the evidence of a diagnosis."""

import math
from typing import Any

import torch

from vae_lab.data import ImageData
from vae_lab.linear_theory.prediction import collapsed_variance, data_spectrum
from vae_lab.linear_theory.spectrum import Floats
from vae_lab.models import VAE
from vae_lab.networks.linear import linearity_of


def objective(end: float, model: VAE, data: ImageData, eigenvalues: Floats) -> dict[str, Any]:
    """What the run minimised at its end, and the spectrum of its data: the evidence of a diagnosis.

    ``effective_beta`` is what one nat of rate weighs against one nat of distortion. ``spectrum`` holds the eigenvalues
    that it is compared with, as many as there are latents, from the ``data_eigenvalues``. What the model declares of
    itself (``plain_elbo`` and its like) goes in as it is.
    """
    likelihood, penalty = model.likelihood, model.penalty
    pixels, rate_weight, kl_weight = math.prod(data.image_shape), float(model.rate_weight()), float(model.kl_weight)
    averaged = pixels if model.distortion_reduction == "mean" else 1
    return {
        "model": type(model).__name__,
        "plain_elbo": model.plain_elbo,
        "rate_weight_key": model.rate_weight_key,
        "holds_rate": model.holds_rate,
        "batchwise_terms": model.batchwise_terms,
        "likelihood": type(likelihood).__name__,
        "scores": likelihood.scores(data.training_sample()),
        "variance": likelihood.variance,
        "learned_variance": likelihood.variance is not None and likelihood.learned,
        "pixels": pixels,
        "distortion_reduction": model.distortion_reduction,
        "kl_weight": kl_weight,
        "rate_weight": rate_weight,
        "price": penalty.price(),
        "effective_beta": averaged * rate_weight * kl_weight * penalty.price(),
        "distortion_target": penalty.distortion_target(),
        "autoregressive": model.autoregressive,
        "linear": None not in (linearity_of(model.encoder), linearity_of(model.decoder)),
        "spectrum": data_spectrum(model, eigenvalues)[: model.latent_dim].tolist(),
        "collapsed_variance": collapsed_variance(model, eigenvalues),
        "learning_rate": getattr(model.optimizer, "keywords", {}).get("lr"),
        "schedule_end": end if math.isfinite(end) else 0,
    }


def mean_image_distortion(model: VAE, data: ImageData) -> float:
    """Test distortion, nats per image, of a decoder that always answers with the mean training image."""
    mean, variance = data.train_moments()
    batches = (batch.x.to(model.device) for batch in data.eval_stream("test"))
    with torch.no_grad():
        scores = [model.likelihood.constant_distortion(x, mean.to(x), variance).double() for x in batches]
    return float(torch.cat(scores).mean())
