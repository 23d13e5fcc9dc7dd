"""From the config's ``metrics`` to what measures a model: which apply, and what each is given."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from vae_lab import noise
from vae_lab.callbacks import Remedy
from vae_lab.callbacks.evaluation import KNOWN, RECONSTRUCTION, Evaluation, takes
from vae_lab.checks import ConfigError
from vae_lab.config.build import build, locate
from vae_lab.data import ImageData
from vae_lab.models import VAE

MAX_VALUES = 1_000_000  # pixels decoded at a time for importance samples: the bound of memory
VERDICT = "the verdict rests on it"
NEEDED = {  # what a run cannot do without
    "val": {"elbo": "the best checkpoint is chosen by its val/loss"},
    "test": {"elbo": VERDICT, "mutual_information": VERDICT, "shuffle_gap": VERDICT},
}


def build_evaluation(nodes: Mapping[str, Mapping[str, Any]], model: VAE, data: ImageData) -> Evaluation:
    """Build the metrics of ``nodes["val"]`` and ``nodes["test"]`` that say something of this model.

    Raises:
        ConfigError: for a metric that cannot be built, or asks for what there is not.
    """
    return Evaluation(**{split: build_metrics(nodes[split], split, model, data) for split in ("val", "test")})


def check_metrics(nodes: Mapping[str, Mapping[str, Any]], remedies: Iterable[Remedy]) -> None:
    """Refuse a config without the metrics that a run or its remedies cannot do without.

    Raises:
        ConfigError: naming the metric and what it is needed for.
    """
    read = {name: f"{type(remedy).__name__} reads it" for remedy in remedies for name in remedy.reads}
    for split, needed in (NEEDED | {"val": NEEDED["val"] | read}).items():
        if not isinstance(nodes.get(split), Mapping):
            raise ConfigError.part(f"metrics.{split}", "must be given: the metrics by name")
        for name, reason in needed.items():
            if not nodes[split].get(name):
                raise ConfigError(f"metrics.{split}.{name}: cannot be left out: {reason}")


def build_metrics(nodes: Mapping[str, Any], split: str, model: VAE, data: ImageData) -> dict[str, Metric]:
    """The metrics of one split by name, but for those that say nothing of this model.

    Raises:
        ConfigError: for a metric that cannot be built, or asks for what there is not.
    """
    built, offered = {}, offers(model, data, split)
    for name, node in nodes.items():
        if node is None:  # switched off
            continue
        key = f"metrics.{split}.{name}"
        if not isinstance(node, Mapping):
            raise ConfigError.setting(key, node, "must be a metric, or null")
        kind = locate(node.get("_target_"), key, Metric)
        if hasattr(kind, "applies") and not kind.applies(model, data.image_shape):
            continue
        wanted = signature(kind).parameters
        extra = {argument: value for argument, value in offered.items() if argument in wanted and argument not in node}
        metric = build(node, key, Metric, **extra)
        asked = takes(metric)
        check_takes(asked, key, data)
        if not (model.autoregressive and any(asked.get(part) for part in RECONSTRUCTION)):
            built[name] = metric
    return built


def check_takes(asked: Mapping[str, bool], key: str, data: ImageData) -> None:
    """Refuse a metric whose ``update`` asks for what no batch has.

    Raises:
        ConfigError: naming the metric's ``key`` and what it asks for.
    """
    lacking = [part for part in ("labels", "factors") if getattr(data.splits["test"], part) is None]
    for name in (name for name, needed in asked.items() if needed):
        if name not in KNOWN:
            raise ConfigError(f"{key}: update asks for {name}; must be of {', '.join(KNOWN)}")
        if name in lacking:
            raise ConfigError(f"{key}: update asks for {name}, which these data do not have")


def offers(model: VAE, data: ImageData, split: str) -> dict[str, Any]:
    """What the constructor of a metric may ask for by name.

    ``latent_dim`` is D, ``image_shape`` (C, H, W), ``value_range`` the least and the largest pixel, ``data_range``
    their difference, ``seed`` the run's seed; ``samples`` maps a number N to N mean images of draws from the prior, in
    parts (B, C, H, W); ``distortion`` maps z (B, D), x (B, C, H, W) and the images' indices (B,) in the split to
    -log p(x|z), (B,); ``log_prior`` maps z (B, D) to log p(z), (B,); ``log_weights`` maps x, the images' indices (B,)
    and the numbers of the samples (k,) to log p(x,z) - log q(z|x), (k, B).
    """
    low, high = data.value_range
    return {
        "latent_dim": model.latent_dim,
        "image_shape": data.image_shape,
        "value_range": (low, high),
        "data_range": max(high - low, 1e-6),
        "seed": model.seed,
        "samples": partial(samples, model, math.prod(data.image_shape)),
        "distortion": partial(distortion, model, split),
        "log_prior": partial(log_prior, model),
        "log_weights": partial(log_weights, model),
    }


def samples(model: VAE, pixels: int, count: int) -> Iterator[Tensor]:
    """``count`` images that the model draws, about ``MAX_VALUES`` pixels at a time; the same for every run."""
    size = max(MAX_VALUES // pixels, 1)
    for part, start in enumerate(range(0, count, size)):
        with torch.no_grad():
            yield model.sample(min(size, count - start), seed=part)


def distortion(model: VAE, split: str, z: Tensor, x: Tensor, indices: Tensor) -> Tensor:
    """-log p(x|z), (B,), of latents z (B, D) and the images x (B, C, H, W) with these indices (B,) in the split.

    The noise of a decoder that takes some is the one that the images had in their pass.
    """
    noise = model.decoder_noise(model.evaluation_noise(indices, split)) if model.noise_size else None
    return -model.likelihood.log_prob(model.predict(z, x, noise), x)


def log_prior(model: VAE, z: Tensor) -> Tensor:
    """log p(z), (B,), of latents z (B, D)."""
    return model.prior.log_prob(z.to(model.kl_weight))


def log_weights(model: VAE, x: Tensor, indices: Tensor, samples: Tensor) -> Tensor:
    """Importance log-weights (k, B) of images x (B, C, H, W), about ``MAX_VALUES`` pixels decoded at a time."""
    drawn, pixels = draws(model, indices, samples), x[0].numel()
    images = max(MAX_VALUES // (len(samples) * pixels), 1)
    rows = max(MAX_VALUES // pixels, 1)
    parts = zip(x.split(images), drawn.split(images, dim=1), strict=True)
    return torch.cat([torch.cat([model.log_weights(i, n) for n in noise_.split(rows)]) for i, noise_ in parts], 1)


def draws(model: VAE, indices: Tensor, samples: Tensor) -> Tensor:
    """Noise (k, B, D + N) of the importance samples with these numbers (k,), for the images with these indices (B,)."""
    width = model.latent_dim + model.noise_size
    rows = partial(noise.normal_rows, indices, width, model.kl_weight, seed=model.seed)
    return torch.stack([rows(purpose=f"nll/{sample}") for sample in samples.tolist()])
