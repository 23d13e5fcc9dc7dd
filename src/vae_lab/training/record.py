"""What the record of a run holds beside its figures: its objective, what theory says of it, when and with what."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from vae_lab.linear_theory.prediction import theory
from vae_lab.linear_theory.water_filling import water_filling
from vae_lab.runs.result import Objective, Theory
from vae_lab.training.assembly import Parts
from vae_lab.training.objective import objective

PACKAGES = ("vae_lab", "torch", "torchvision", "lightning", "torchmetrics", "hydra-core")


def theory_of(parts: Parts) -> dict[str, Any]:
    """The result's fields ``objective``, ``theory`` and ``linear_rate``."""
    model, data = parts.model, parts.data
    found = objective(parts.end, model, data)
    minimised = msgspec.convert(found, Objective)
    optimum = msgspec.convert(theory(model, data).get("theory"), Theory | None)
    rate = linear_rate(minimised, optimum, model.latent_dim)
    return {"objective": minimised, "theory": optimum, "linear_rate": rate}


def linear_rate(minimised: Objective, optimum: Theory | None, latent_dim: int) -> float | None:
    """The rate of a linear VAE on these data, nats per image, for a Gaussian likelihood; None for others."""
    if optimum is not None:
        return sum(optimum.rate_dim)
    if minimised.variance is None or not minimised.spectrum or minimised.effective_beta <= 0:
        return None
    return water_filling(np.array(minimised.spectrum), minimised.effective_beta, latent_dim).rate


def now() -> str:
    """The present time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def versions() -> dict[str, str]:
    """Versions of what figures depend on."""
    return {"python": platform.python_version()} | {package: version(package) for package in PACKAGES}
