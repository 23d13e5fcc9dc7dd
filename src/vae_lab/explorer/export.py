"""The page with the decoder inside it: one file that needs no server and no network."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vae_lab import noise
from vae_lab.checks import ArgumentError
from vae_lab.explorer.network import layers_of, mean_of, registered
from vae_lab.explorer.page import document
from vae_lab.explorer.scene import Scene
from vae_lab.models import VAE

CHECKED = 100  # latents
TOLERANCE = 1.0  # of 255 levels: beyond, float16 is not good enough


@dataclass(frozen=True)
class Exported:
    """A written file: its size, how its weights are kept, and what that changes, in levels of 255."""

    file: Path
    bytes: int
    precision: str
    difference: float


def export(model: VAE, scene: Scene, file: Path) -> Exported:
    """Write the page of a scene with the model's decoder in it.

    The weights are kept as float16, or as float32 where that would change a pixel by more than one level of 255.

    Raises:
        NoForm: when the page cannot compute this decoder or this likelihood.
        ArgumentError: when the file cannot be written.
    """
    layers, mean = registered(layers_of, model.decoder), registered(mean_of, model.likelihood)
    difference = rounding(model, scene)
    precision = "float16" if difference <= TOLERANCE else "float32"
    network = {"layers": [layer.content(precision) for layer in layers], "mean": mean}
    text = document({**scene.content(), "network": network})
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArgumentError("file", file, f"cannot be written ({error.strerror})") from error
    return Exported(file, len(text.encode()), precision, difference if precision == "float16" else 0.0)


@torch.no_grad()
def rounding(model: VAE, scene: Scene) -> float:
    """The largest difference that float16 weights make to a pixel, in levels of 255, at ``CHECKED`` prior draws."""
    draws = noise.normal((CHECKED, model.latent_dim), model.kl_weight, seed=0, purpose="export", index=0)
    z = model.prior.sample(draws)
    rounded = copy.deepcopy(model.decoder).half().to(model.kl_weight.dtype)
    params: Tensor = rounded(z)
    low, high = scene.value_range
    levels = (model.likelihood(params).mean - model.decode(z)).abs().max() * 255 / max(high - low, 1e-30)
    return float(levels.nan_to_num(torch.inf))
