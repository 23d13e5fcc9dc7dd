"""What the record of a run holds beside its figures: its objective, what theory says of it, when and with what."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from vae_lab import __version__
from vae_lab.linear_theory.prediction import data_eigenvalues, optimal_variance, theory
from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import water_filling
from vae_lab.models import VAE
from vae_lab.runs.result import Objective, Theory
from vae_lab.training.assembly import Parts
from vae_lab.training.objective import objective

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core")


def theory_of(parts: Parts) -> dict[str, Any]:
    """The result's fields ``objective``, ``theory`` and ``linear_rate``."""
    model, data = parts.model, parts.data
    eigenvalues = data_eigenvalues(model, data)
    minimised = msgspec.convert(objective(parts.end, model, data, eigenvalues), Objective)
    optimum = msgspec.convert(theory(model, data, eigenvalues).get("theory"), Theory | None)
    rate = sum(optimum.rate_dim) if optimum else linear_rate(model, eigenvalues, minimised.effective_beta)
    return {"objective": minimised, "theory": optimum, "linear_rate": rate}


def objective_of(parts: Parts) -> Objective:
    """The result's field ``objective`` alone: that of a run which diverged, whose weights say nothing more."""
    return msgspec.convert(objective(parts.end, parts.model, parts.data, np.zeros(0)), Objective)


def linear_rate(model: VAE, eigenvalues: Floats, effective_beta: float) -> float | None:
    """The rate of a linear VAE on these data, nats per image, for a Gaussian likelihood; None for others."""
    if not len(eigenvalues) or effective_beta <= 0:
        return None
    variance = optimal_variance(model, eigenvalues, effective_beta)
    return water_filling(eigenvalues / variance, effective_beta, model.latent_dim).rate if variance else None


def now() -> str:
    """The present time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def versions() -> dict[str, str]:
    """Versions of what figures depend on."""
    others = {package: version(package) for package in PACKAGES}
    return {"python": platform.python_version(), "vae_lab": __version__, **others}
