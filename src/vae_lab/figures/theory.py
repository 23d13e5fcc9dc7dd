"""The linear prediction over β."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vae_lab.figures.style import BLUE, GREY, ORANGE


def draw(
    betas: Sequence[float],
    latents: Sequence[int],
    rates: Sequence[float] | None,
    latent_dim: int,
    beta: float,
    limit: float,
) -> Figure:
    """How many of the D latents a linear VAE uses at each β, and its rate.

    Args:
        betas: the β of the curves, rising.
        latents: latents used at each.
        rates: nats per image at each; None where the theory does not give them.
        latent_dim: D.
        beta: the chosen β, marked.
        limit: the linear limit, marked.
    """
    figure = Figure(figsize=(6.4, 3.8), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.step(betas, latents, where="post", color=BLUE, label="latents used")
    axes.set(xscale="log", xlabel="effective β", ylabel=f"latents used, of {latent_dim}", ylim=(0, latent_dim * 1.08))
    axes.yaxis.label.set_color(BLUE)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(beta, color=GREY, linewidth=1, linestyle=":")
    axes.text(beta, latent_dim * 1.02, f" β = {beta:g}", color=GREY, fontsize=8, va="bottom")
    axes.axvline(limit, color=GREY, linewidth=1, linestyle="--")
    side = "left" if beta <= limit else "right"  # away from the chosen β's line
    axes.text(limit, latent_dim * 0.85, f" linear limit \n {limit:.3g} ", color=GREY, fontsize=8, ha=side)
    if rates is not None:
        right = axes.twinx()
        right.plot(betas, rates, color=ORANGE)
        right.set(ylabel="KL (rate), nats per image", ylim=(0, None))
        right.yaxis.label.set_color(ORANGE)
    axes.set_title("Linear prediction", fontsize=10)
    return figure
