"""Strips: rows of pictures, each with a name, such as two ways from one image to another."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from vae_lab.figures.mosaic import Pictures, gap_of, mosaic
from vae_lab.figures.style import SMALL, bare, blank

PICTURE, WIDEST = 0.55, 9.0  # inches: a picture, unless there are many, and a strip


def draw(strips: Mapping[str, Pictures], title: str, ends: tuple[Pictures, Pictures] | None = None) -> Figure:
    """One row below the other.

    Args:
        strips: pictures (T, H, W, 3) by name, all equally many.
        title: what the pictures are.
        ends: the images themselves (H, W, 3) from which the ways begin and in which they end, shown at both sides.
    """
    rows = list(strips.values())
    columns, height, width, _ = rows[0].shape
    size = min(PICTURE, WIDEST / (columns + 2 * bool(ends)))
    figure = blank(1.1 + size * (columns + 2.4 * bool(ends)), 0.55 + size * 1.15 * len(rows) * height / width)
    grid = figure.add_gridspec(1, 3, width_ratios=(1.2, columns, 1.2) if ends else (1e-6, columns, 1e-6))
    axes = figure.add_subplot(grid[0, 1])
    gap = gap_of(rows[0])
    axes.imshow(mosaic(np.stack(rows), gap))
    bare(axes)
    axes.set_yticks([i * (height + gap) + (height - 1) / 2 for i in range(len(rows))], list(strips), fontsize=SMALL)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)
    for place, name in ((0, "from"), (2, "to")) if ends else ():
        side = figure.add_subplot(grid[0, place])
        side.imshow(ends[place // 2])  # type: ignore[index]
        bare(side)
        side.set_title(name, fontsize=SMALL)
    return figure
