"""``python -m vae_lab.theory data=NAME ...``: which β, or σ², switches off which directions of one's own data."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.console import command, figure_option, save_figure
from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import water_filling

USAGE = """python -m vae_lab.theory [data=NAME ...] [model.latent_dim=D] [model.beta=B]
                         [likelihood=gaussian likelihood.variance=V] [figure=FILE.png]

The linear prediction: how many directions of the data are worth their nats at each β, and what a linear VAE would do.
The settings are those of vae_lab; likelihood=gaussian is the default here. The figure goes to theory.png."""


@dataclass(frozen=True)
class Prepared:
    """A config, and the eigenvalues (P,) of its training data in units of the likelihood's pixel variance."""

    config: dict[str, Any]
    eigenvalues: Floats
    variance: float | None
    learned: bool  # whether the variance is only where the likelihood starts


def prepare(overrides: list[str]) -> Prepared:
    """Load the data that the overrides name and compute their spectrum.

    Raises:
        ConfigError: for whatever in the overrides does not fit.
    """
    chosen = any(override.startswith("likelihood=") for override in overrides)
    config = compose_config([*([] if chosen else ["likelihood=gaussian"]), *overrides])

    from vae_lab.linear_theory.prediction import data_spectrum
    from vae_lab.training.assembly import assemble

    parts = assemble(config)
    eigenvalues = data_spectrum(parts.model, parts.data)
    if not len(eigenvalues):
        raise ConfigError(
            "the linear prediction holds for likelihoods bernoulli, continuous_bernoulli and gaussian, "
            "and for decoders that read z alone; leave the likelihood or the decoder out"
        )
    likelihood = parts.model.likelihood
    return Prepared(config, eigenvalues, likelihood.variance, likelihood.learned)


def betas(chosen: float, eigenvalues: Floats) -> list[float]:
    """Powers of two around the chosen β, up to the one that switches everything off."""
    top = int(np.ceil(np.log2(max(eigenvalues[0], chosen, 1))))
    return sorted({chosen, *(2.0**power for power in range(min(-3, top - 8), top + 1))})


def rows(prepared: Prepared) -> list[list[str]]:
    """One row of text per β."""
    beta, latent_dim = prepared.config["model"].get("beta", 1.0), prepared.config["model"]["latent_dim"]
    lines = []
    for b in betas(beta, prepared.eigenvalues):
        filled = water_filling(prepared.eigenvalues, b, latent_dim)
        worth = int((prepared.eigenvalues > b).sum())
        line = [f"{b:g}{' *' if b == beta else ''}", str(worth), f"{min(worth, latent_dim)} of {latent_dim}"]
        if prepared.variance is not None:
            line += [
                f"{b * prepared.variance:.4g}",
                f"{filled.rate:.3f}",
                f"{filled.squared_error * prepared.variance:.3f}",
            ]
        lines.append(line)
    return lines


def main() -> None:
    """The command."""
    file, overrides = figure_option(sys.argv[1:], "theory.png")
    prepared = prepare(overrides)

    from vae_lab.report.table import Content, show

    gaussian = ["βσ²", "KL (rate)", "squared error"] if prepared.variance is not None else []
    show(Content(["β", "directions worth it", "latents used", *gaussian], rows(prepared), words=0).rich())
    name = "a linear VAE obeys it exactly" if gaussian else "it holds near the collapsed state"
    print(f"the linear prediction ({name}); * is the chosen β")
    print(f"linear limit: from β = {prepared.eigenvalues[0]:.4g} on no direction is worth its nats, and the collapsed")
    print("state is a local optimum; annealing from a small β shows whether the data pay for more than directions")
    if prepared.learned:
        print(f"σ² = {prepared.variance:.4g} is where this likelihood starts: it learns σ²")
    chosen = prepared.config["model"]
    drawn = (prepared.eigenvalues, chosen["latent_dim"], chosen.get("beta", 1.0), prepared.variance is not None)
    save_figure("theory", file, *drawn)
    print("next: python -m vae_lab +experiment=zero_kl -m")


if __name__ == "__main__":
    command(main, USAGE)
