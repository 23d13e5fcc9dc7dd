"""What the linear theory predicts for a config's own data, before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.linear_theory.linear_vae import learned_variance
from vae_lab.linear_theory.prediction import collapsed_variance, data_eigenvalues
from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import water_filling
from vae_lab.training.assembly import assemble

POINTS = 400  # of a curve
OCTAVES = 8  # the powers of two that are shown at least


class Row(NamedTuple):
    """The prediction at one β."""

    beta: float
    directions: int  # how many of the data's directions lie above β
    latents: int  # how many of the D latents are used
    variance: float | None  # a Gaussian's σ² there, 0 where a learnt one goes to 0
    rate: float  # nats per image, of a linear VAE
    squared_error: float  # per image, of a linear VAE, in squared pixel units for a Gaussian


@dataclass(frozen=True)
class Prediction:
    """The spectrum of the training data, and what it is compared with."""

    values: Floats  # (P,), falling: in squared pixel units for a Gaussian, else in units of the pixel variance
    beta: float  # the weight of the rate, chosen
    latent_dim: int
    variance: float | None  # σ² of a Gaussian likelihood; at the collapsed state where it is learnt
    learned: bool  # whether σ² is learnt

    @property
    def eigenvalues(self) -> Floats:
        """Eigenvalues (P,), falling, in units of the likelihood's pixel variance at the collapsed state."""
        return self.values / (self.variance or 1.0)

    @property
    def limit(self) -> float:
        """The linear limit: from this β on the collapsed state is a local optimum."""
        return float(self.eigenvalues[0])

    def betas(self) -> list[float]:
        """Powers of two around the chosen β, up to the one that switches everything off."""
        top = int(np.ceil(np.log2(max(self.limit, self.beta, 1))))
        return sorted({self.beta, *(2.0**power for power in range(min(-3, top - OCTAVES), top + 1))})

    def rows(self) -> list[Row]:
        """The prediction at each of these β."""
        return [self.row(beta) for beta in self.betas()]

    def curve(self) -> list[Row]:
        """The prediction from a small β to one beyond the limit, for a figure."""
        ends = min(0.1, self.beta / 2), max(self.limit, self.beta) * 6
        return [self.row(float(beta)) for beta in np.geomspace(*ends, POINTS)]

    def row(self, beta: float) -> Row:
        """The prediction at one β, with the σ² that is the optimum there where it is learnt."""
        variance = learned_variance(self.values, beta, self.latent_dim) if self.learned else self.variance
        if self.learned and variance is None:  # D latents reconstruct the data whole, at any price
            directions = int((self.values > 0).sum())
            return Row(beta, directions, min(directions, self.latent_dim), 0.0, np.inf, 0.0)
        unit = variance or 1.0
        directions = int((self.values > beta * unit).sum())
        filled = water_filling(self.values / unit, beta, self.latent_dim)
        return Row(
            beta, directions, min(directions, self.latent_dim), variance, filled.rate, filled.squared_error * unit
        )


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
    values = data_eigenvalues(model, parts.data)
    if not len(values):
        raise ConfigError(
            "the linear prediction holds for likelihoods bernoulli, continuous_bernoulli and gaussian, "
            "and for decoders that read z alone; leave the likelihood or the decoder out"
        )
    beta = float(model.rate_weight())
    if not beta > 0:
        raise ConfigError(f"the linear prediction needs a rate that costs something; here its weight is {beta:g}")
    learned = model.likelihood.variance is not None and model.likelihood.learned
    return Prediction(values, beta, model.latent_dim, collapsed_variance(model, values), learned)
