"""The rate of each dimension over training, as a heat map: dimensions are seen to wake and to die."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from vae_lab.figures.style import SMALL, blank

FADED = 0.2  # of the highest rate: how much of a nat counts as colour at least


def draw(steps: Sequence[int], rates: ArrayLike) -> Figure:
    """A row for each dimension, the one that ends with the highest rate first; brightness is its rate.

    Args:
        steps: of the optimizer (T,), rising.
        rates: nats per image (T, D).
    """
    values = np.asarray(rates, np.float64)
    order = np.argsort(-values[-1], kind="stable")
    figure = blank(6.4, 1.5 + min(0.22 * max(len(order), 4), 6.0))
    axes = figure.add_subplot()
    at = np.asarray(steps, np.float64)
    edges = np.concatenate([at[:1], (at[1:] + at[:-1]) / 2, at[-1:]]) if len(at) > 1 else np.array([at[0], at[0] + 1])
    rows = np.arange(len(order) + 1) - 0.5
    top = max(values.max(initial=0), FADED)
    mesh = axes.pcolormesh(edges, rows, values[:, order].T, cmap="viridis", vmin=0, vmax=top, rasterized=True)
    axes.invert_yaxis()
    if len(order) <= 32:
        axes.set_yticks(range(len(order)), [f"$z_{{{j}}}$" for j in order], fontsize=SMALL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="optimizer step", ylabel="latent dimension")
    axes.set_title("KL (rate) of each dimension over training", fontsize=10)
    figure.colorbar(mesh, ax=axes, label="nats per image")
    return figure
