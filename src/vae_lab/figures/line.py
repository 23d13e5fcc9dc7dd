"""Where images lie on a single latent dimension. N images."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vae_lab.figures.scatter import colours_of
from vae_lab.figures.style import BLUE, GREY, blank

BINS = 40


def draw(points: ArrayLike, rates: ArrayLike, labels: ArrayLike | None, name: str, title: str) -> Figure:
    """The posterior means' histogram beside the prior's density and, below, the KL of each image.

    Args:
        points: the posterior means (N,).
        rates: KL(q(z|x) ‖ p(z)) of each image (N,), nats.
        labels: whole numbers (N,), where there are any; the lower panel's colours.
        name: of the dimension.
        title: which images they are.
    """
    at, rate = np.asarray(points, np.float64), np.asarray(rates, np.float64)
    figure = blank(6.4, 4.4)
    above, below = figure.subplots(2, sharex=True, height_ratios=(1, 2))
    above.hist(at, bins=BINS, density=True, color=BLUE, alpha=0.7, label="posterior means")
    reach = np.linspace(-3.5, 3.5, 201)
    above.plot(reach, np.exp(-0.5 * reach**2) / np.sqrt(2 * np.pi), color=GREY, linestyle="--", label="prior")
    above.set_ylabel("density")
    above.legend(fontsize=8, frameon=False)
    below.scatter(at, rate, s=8, c=colours_of(labels, len(at)), linewidths=0, alpha=0.8)
    below.set(xlabel=name, ylabel="KL (rate), nats per image", ylim=(0, None))
    above.set_title(title, fontsize=10)
    return figure
