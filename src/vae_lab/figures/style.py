"""What the figures share: colours that are safe for the colour-blind, sizes, and names of axes."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OKABE_ITO = (  # the last, their yellow, is darker here
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#000000", "#B8A500"),
)
BLUE, ORANGE, GREEN = OKABE_ITO[:3]
GREY = "#666666"
CLASSES = (  # ten that can be told apart (Petroff 2021)
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
DPI = 150
SMALL = 8  # points


def blank(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def settle(figure: Figure) -> None:
    """Fix the layout as it is now: frames of an animation must not move, and are drawn in half the time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def bare(axes: Axes) -> None:
    """Take away ticks and frame: there is only a picture to see."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def latent(dim: int, rate: float | None = None) -> str:
    """A latent dimension by name, with its rate in nats where it is given.

    Example:
        >>> latent(3, 1.234)
        '$z_{3}$  (KL 1.23 nats)'
    """
    return f"$z_{{{dim}}}$" + ("" if rate is None else f"  (KL {rate:.2f} nats)")
