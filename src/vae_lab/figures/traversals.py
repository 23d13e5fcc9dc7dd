"""Traversals: a row of pictures for each latent dimension, the most used first."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from vae_lab.figures.mosaic import Pictures, gap_of, mosaic
from vae_lab.figures.style import BLUE, GREY, ORANGE, SMALL, bare, blank

COLUMN, LABELS = 0.5, 2.7  # inches: the width of a picture, and of what is written beside a row


class Row(NamedTuple):
    """What is written at a row, in nats per image.

    ``gap``: its shuffle gap; ``used``: None where it is not known; ``factor``: in words, what it knows most of.
    """

    dim: int
    rate: float
    gap: float | None = None
    used: bool | None = None
    factor: str = ""

    def __str__(self) -> str:
        """The dimension's name and figures.

        Example:
            >>> str(Row(3, 3.214, 12.41, True))
            '$z_{3}$   KL 3.21  shuffle gap 12.4'
        """
        gap = "" if self.gap is None else f"  shuffle gap {self.gap:.{1 if self.gap >= 1 else 2}f}"
        unused = "\nunused" if self.used is False else ""
        factor = f"\n{self.factor}" if self.factor and not unused else ""
        return f"$z_{{{self.dim}}}$   KL {self.rate:.2f}{gap}{unused}{factor}"


def draw(pictures: Pictures, values: Sequence[float], rows: Sequence[Row], title: str) -> Figure:
    """A row for each dimension, its pictures as it runs through ``values`` and the others stay.

    Args:
        pictures: (R, T, H, W, 3).
        values: the latent values of the columns (T,).
        rows: what to write at each row.
        title: what the pictures are.
    """
    count, columns, height, width, _ = pictures.shape
    figure = blank(LABELS + COLUMN * columns, 0.9 + COLUMN * max(height / width, 0.6) * count)
    axes = figure.add_subplot()
    gap = gap_of(pictures)
    axes.imshow(mosaic(pictures, gap))
    bare(axes)
    at = [i for i in (0, (columns - 1) / 2, columns - 1) if i == int(i)]
    places = [i * (width + gap) + (width - 1) / 2 for i in at]
    axes.set_xticks(places, [f"{values[int(i)]:.2g}" for i in at], fontsize=SMALL)
    about = "\nMI of the posterior mean and the factor that it knows most of, of that factor's entropy, nats"
    known = about if any(row.factor for row in rows) else ""
    axes.set_xlabel(f"latent value   (KL and shuffle gap: nats per image){known}", fontsize=SMALL)
    centres = [i * (height + gap) + (height - 1) / 2 for i in range(count)]
    labels = axes.set_yticks(centres, list(map(str, rows)), fontsize=SMALL)
    axes.tick_params(length=0)
    for tick, row in zip(labels, rows, strict=True):
        tick.label1.set_color(ORANGE if row.used is False else BLUE if row.used else GREY)
    axes.set_title(title, fontsize=10)
    return figure
