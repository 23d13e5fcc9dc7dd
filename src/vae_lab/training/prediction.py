"""What the linear theory predicts for a config's own data, before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.linear_theory.prediction import data_spectrum
from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import water_filling
from vae_lab.training.assembly import assemble

OCTAVES = 8  # the powers of two that are shown at least


class Row(NamedTuple):
    """The prediction at one β."""

    beta: float
    directions: int  # how many of the data's directions are worth their nats
    latents: int  # how many of the D latents are used
    rate: float  # nats per image, of a linear VAE
    squared_error: float  # per image, of a linear VAE, in units of σ²


@dataclass(frozen=True)
class Prediction:
    """The spectrum of the training data, and what it is compared with."""

    eigenvalues: Floats  # (P,), falling, in units of the likelihood's pixel variance
    beta: float  # the weight of the rate, chosen
    latent_dim: int
    variance: float | None  # σ² of a Gaussian likelihood
    learned: bool  # whether σ² is only where the likelihood starts

    def betas(self) -> list[float]:
        """Powers of two around the chosen β, up to the one that switches everything off."""
        top = int(np.ceil(np.log2(max(self.eigenvalues[0], self.beta, 1))))
        return sorted({self.beta, *(2.0**power for power in range(min(-3, top - OCTAVES), top + 1))})

    def rows(self) -> list[Row]:
        """The prediction at each of these β."""
        return [self.row(beta) for beta in self.betas()]

    def row(self, beta: float) -> Row:
        """The prediction at one β."""
        directions = int((self.eigenvalues > beta).sum())
        filled = water_filling(self.eigenvalues, beta, self.latent_dim)
        return Row(beta, directions, min(directions, self.latent_dim), filled.rate, filled.squared_error)


def predict(overrides: Sequence[str], config_dir: str | Path | None = None) -> Prediction:
    """Load the data that the overrides name and compute their spectrum. ``likelihood=gaussian`` is the default here.

    Raises:
        ConfigError: for whatever in the overrides does not fit, and for parts that the linear theory does not cover.

    Example:
        >>> prediction = predict(["data=gaussian", "likelihood.variance=1"])
        >>> prediction.eigenvalues.round(3).tolist()
        [4.0, 2.0, 1.0, 0.5, 0.2, 0.1]
        >>> prediction.row(beta=1.5).directions
        2
    """
    chosen = any(override.startswith("likelihood=") for override in overrides)
    parts = assemble(compose_config([*([] if chosen else ["likelihood=gaussian"]), *overrides], config_dir))
    model = parts.model
    eigenvalues = data_spectrum(model, parts.data)
    if not len(eigenvalues):
        raise ConfigError(
            "the linear prediction holds for likelihoods bernoulli, continuous_bernoulli and gaussian, "
            "and for decoders that read z alone; leave the likelihood or the decoder out"
        )
    beta = float(model.rate_weight())
    if not beta > 0:
        raise ConfigError(f"the linear prediction needs a rate that costs something; here its weight is {beta:g}")
    return Prediction(eigenvalues, beta, model.latent_dim, model.likelihood.variance, model.likelihood.learned)
