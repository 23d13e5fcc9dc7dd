"""The autoencoders of diffusers: spatial latents, an L1 loss, and a KL that weighs next to nothing."""

from collections.abc import Mapping
from typing import Any

from vae_lab.examination.adapters import adapter, comes_from

KL_WEIGHT = 1e-6  # of Stable Diffusion's autoencoders (Rombach et al. 2022), and of diffusers' training script
WEIGHT = (
    "diffusers keeps no record of the loss: taken is L1 summed over the image (a Laplace likelihood with b = 1) and "
    "the KL, summed too, times 1e-6; a perceptual or adversarial term is not counted"
)
SCALE = (
    "at β = 1e-6 a nat of KL costs a millionth of a nat of distortion, so no channel collapses for its price; with "
    "the L1 averaged over the image instead, the same 1e-6 would be β = 1e-6 × its numbers: say reduction='mean'"
)


@adapter
def diffusers(model: Any) -> Mapping[str, Any] | None:
    """An autoencoder whose ``encode`` gives a ``latent_dist``; VQ models, which have none, are refused later."""
    if not comes_from(model, "diffusers"):
        return None
    return {
        "name": f"diffusers {type(model).__name__}",
        "encode": model.encode,
        "decode": model.decode,
        "likelihood": "laplace",
        "beta": KL_WEIGHT,
        "notes": (WEIGHT, SCALE),
    }
