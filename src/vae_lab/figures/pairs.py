"""Two grids of pictures side by side: inputs and reconstructions, samples of the prior and of the posteriors."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from vae_lab.figures.mosaic import Pictures, gap_of, mosaic
from vae_lab.figures.style import bare, blank

WIDTH = 4.0  # inches of each grid


def draw(grids: Mapping[str, Pictures], title: str) -> Figure:
    """Grids (R, T, H, W, 3) by name, beside each other.

    Args:
        grids: equally large grids, by what they show.
        title: what all of them are.
    """
    rows, columns, height, width, _ = next(iter(grids.values())).shape
    figure = blank(WIDTH * len(grids) + 0.3, 0.8 + WIDTH * rows * height / (columns * width))
    panels = figure.subplots(1, len(grids), squeeze=False, gridspec_kw={"wspace": 0.06})[0]
    for axes, (name, pictures) in zip(panels, grids.items(), strict=True):
        axes.imshow(mosaic(pictures, gap_of(pictures)))
        bare(axes)
        axes.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure
