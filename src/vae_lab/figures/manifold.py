"""The manifold: what the decoder makes of each point of a plane of the latent space."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from vae_lab.figures.mosaic import Pictures, gap_of, mosaic
from vae_lab.figures.style import SMALL, blank

WIDTH = 6.0  # inches
CRISP = 300  # pixels: a smaller grid is shown pixel by pixel, without a blur between them
MOST_TICKS = 5


def draw(pictures: Pictures, across: Sequence[float], up: Sequence[float], names: Sequence[str], title: str) -> Figure:
    """A grid of pictures; its axes are latent dimensions.

    Args:
        pictures: (R, T, H, W, 3), the uppermost row first.
        across: the latent values of the columns (T,).
        up: those of the rows (R,), from the bottom to the top; empty for a single row.
        names: of the two axes, or of the one.
        title: what the pictures are.
    """
    rows, columns, height, width, _ = pictures.shape
    figure = blank(WIDTH, 1.0 + (WIDTH - 0.8) * rows * height / (columns * width))
    axes = figure.add_subplot()
    show(axes, pictures, across, up)
    axes.set_xlabel(names[0])
    if len(up):
        axes.set_ylabel(names[1])
    axes.set_title(title, fontsize=10)
    return figure


def show(axes: Axes, pictures: Pictures, across: Sequence[float], up: Sequence[float]) -> AxesImage:
    """The grid of pictures on ``axes``, with the latent values at its edges."""
    rows, columns, height, width, _ = pictures.shape
    gap = gap_of(pictures)
    whole = mosaic(pictures, gap)
    image = axes.imshow(whole, interpolation="nearest" if max(whole.shape) < CRISP else "auto")
    at = ticks(columns)
    axes.set_xticks([i * (width + gap) + (width - 1) / 2 for i in at], [f"{across[i]:.2g}" for i in at], fontsize=SMALL)
    at = ticks(rows) if len(up) else []
    axes.set_yticks(
        [(rows - 1 - i) * (height + gap) + (height - 1) / 2 for i in at], [f"{up[i]:.2g}" for i in at], fontsize=SMALL
    )
    axes.spines[:].set_visible(False)
    return image


def ticks(count: int) -> list[int]:
    """Evenly spaced places of ``count``, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, MOST_TICKS)).tolist()})
