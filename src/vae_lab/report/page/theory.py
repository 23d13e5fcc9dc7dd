"""The linear theory in the rate-distortion plane."""

from collections.abc import Iterable

import numpy as np

from vae_lab.report.page.entries import Line
from vae_lab.runs.result import Result, Theory
from vae_lab.runs.run import Run

POINTS = 120
SMALLEST = 1e-3  # of the largest eigenvalue: the lowest level of the curve, unless a run lies lower


def lines(runs: Iterable[Run]) -> list[Line]:
    """The best that a linear VAE can do at each rate: a line for each data set, σ² and number of latents."""
    found: dict[tuple[object, ...], list[Theory]] = {}
    for result in (run.result for run in runs):
        theory = result.theory
        if theory is not None and fixed(result) and max(theory.eigenvalues, default=0.0) > 0:
            about = round(theory.variance, 6), len(theory.rate_dim), tuple(np.round(theory.eigenvalues, 6))
            found.setdefault(about, []).append(theory)
    return [line(theories) for theories in found.values()]


def fixed(result: Result) -> bool:
    """Whether σ² is the same at every rate."""
    return not (result.objective and result.objective.learned_variance)


def line(theories: list[Theory]) -> Line:
    """The curve of theories that share their data: water-filling from no rate to beyond the largest of theirs."""
    from vae_lab.linear_theory.linear_vae import LinearVAE

    theory = theories[0]
    vae = LinearVAE(np.array(theory.eigenvalues), theory.variance, 1.0, len(theory.rate_dim))
    highest = float(vae.e[0])
    largest = 1.1 * max(sum(other.rate_dim) for other in theories)
    levels = np.geomspace(highest, highest * SMALLEST, POINTS)
    optima = [vae.fill(level) for level in levels]
    kept = [best for best in optima if float(best.rates.sum()) <= largest]
    return Line(
        title=f"linear VAE, D = {vae.latent_dim}, σ² = {theory.variance:.3g}",
        rates=[float(best.rates.sum()) for best in kept],
        distortions=[best.distortion for best in kept],
    )
