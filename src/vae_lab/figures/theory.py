"""The linear prediction over β."""

import numpy as np
from matplotlib.figure import Figure

from vae_lab.linear_theory.spectrum import Floats
from vae_lab.linear_theory.water_filling import water_filling

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # safe for the colour-blind (Okabe & Ito)


def draw(eigenvalues: Floats, latent_dim: int, beta: float, with_rate: bool) -> Figure:
    """How many of the D latents are worth their nats at each β, and (Gaussian only) the rate of the linear VAE.

    Args:
        eigenvalues: (P,), falling, in units of the likelihood's pixel variance.
        latent_dim: D.
        beta: the chosen β, marked.
        with_rate: draw the rate too.
    """
    grid = np.geomspace(min(0.1, beta / 2), max(eigenvalues[0], beta) * 6, 400)
    figure = Figure(figsize=(6.4, 3.8), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    used = [min(int((eigenvalues > b).sum()), latent_dim) for b in grid]
    axes.step(grid, used, where="post", color=BLUE, label="latents in use")
    axes.set(xscale="log", xlabel="effective β", ylabel=f"latents in use, of {latent_dim}", ylim=(0, latent_dim * 1.08))
    axes.yaxis.label.set_color(BLUE)
    axes.axvline(beta, color=GREY, linewidth=1, linestyle=":")
    axes.text(beta, latent_dim * 1.02, f" β = {beta:g}", color=GREY, fontsize=8, va="bottom")
    axes.axvline(eigenvalues[0], color=GREY, linewidth=1, linestyle="--")
    side = "left" if beta <= eigenvalues[0] else "right"  # away from the chosen β's line
    label = f" linear limit \n {eigenvalues[0]:.3g} "
    axes.text(eigenvalues[0], latent_dim * 0.85, label, color=GREY, fontsize=8, ha=side)
    if with_rate:
        right = axes.twinx()
        right.plot(grid, [water_filling(eigenvalues, b, latent_dim).rate for b in grid], color=ORANGE)
        right.set(ylabel="KL (rate), nats per image", ylim=(0, None))
        right.yaxis.label.set_color(ORANGE)
    axes.set_title("Linear prediction: what the data can pay for", fontsize=10)
    return figure
