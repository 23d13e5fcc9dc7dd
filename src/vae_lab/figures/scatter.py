"""Where images lie in a plane of the latent space. N images, K ellipses."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from vae_lab.figures.style import BLUE, CLASSES, GREY, SMALL, blank

Floats = NDArray[np.float64]

CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 61)) for f in (np.cos, np.sin)])
WHITE_BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
APART, LEAST_SPREAD = 0.4, 0.3  # the classes' part of the variance, and how far they reach, to be named where they lie


def draw(
    points: ArrayLike,
    labels: ArrayLike | None,
    ellipses: tuple[ArrayLike, ArrayLike],
    prior: tuple[ArrayLike, ArrayLike],
    names: tuple[str, str],
    title: str,
) -> Figure:
    """Posterior means, coloured by label, over the contours of the prior.

    Args:
        points: the posterior means (N, 2).
        labels: whole numbers (N,), where there are any.
        ellipses: the indices (K,) of the images whose posteriors are drawn too, and their covariances (K, 2, 2).
        prior: its mean (2,) and covariance (2, 2).
        names: of the axes.
        title: which images they are.
    """
    figure = blank(6.0, 5.6)
    axes = figure.add_subplot()
    show(axes, points, labels, prior, ellipses)
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.set_title(title, fontsize=10)
    return figure


def show(
    axes: Axes,
    points: ArrayLike,
    labels: ArrayLike | None,
    prior: tuple[ArrayLike, ArrayLike],
    ellipses: tuple[ArrayLike, ArrayLike] | None = None,
    named: bool = True,
) -> PathCollection:
    """The same on ``axes``: contours of the prior at one, two and three standard deviations, then the images."""
    at = np.asarray(points, np.float64)
    centre, covariance = (np.asarray(part, np.float64) for part in prior)
    for radius in (1, 2, 3):
        outline = contour(centre, covariance, radius)
        axes.plot(*outline.T, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        top = outline[outline[:, 1].argmax()]
        axes.text(
            top[0], top[1], f"{radius}σ", fontsize=SMALL, color=GREY, ha="center", va="center", bbox=WHITE_BOX, zorder=4
        )
    colours = colours_of(labels, len(at))
    dots = axes.scatter(
        at[:, 0], at[:, 1], s=max(4.0, min(14.0, 6000 / len(at))), c=colours, linewidths=0, alpha=0.8, zorder=2
    )
    if ellipses is not None:
        chosen, covariances = np.asarray(ellipses[0], int), np.asarray(ellipses[1], np.float64)
        lines = [contour(at[i], c, 1) for i, c in zip(chosen, covariances, strict=True)]
        axes.add_collection(LineCollection(lines, colors=colours[chosen], linewidths=1.0, zorder=3))
    if labels is not None and named:
        name_classes(axes, at, np.asarray(labels, int))
    axes.set_aspect("equal", adjustable="datalim")
    return dots


def contour(centre: Floats, covariance: Floats, radius: float) -> Floats:
    """The points at ``radius`` standard deviations from ``centre`` (2,): (61, 2)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(centre + radius * ((vectors * np.sqrt(values.clip(0))) @ CIRCLE).T)


def colours_of(labels: ArrayLike | None, count: int) -> Floats:
    """A colour for each image (N, 4): its class', from dark to light where there are more than ten, or one for all."""
    found = np.zeros(count, int) if labels is None else np.asarray(labels, int)
    low, high = int(found.min(initial=0)), int(found.max(initial=0))
    if high - low < len(CLASSES):
        return np.asarray(ListedColormap([BLUE] if labels is None else CLASSES)(found - low))
    from matplotlib import colormaps

    return np.asarray(colormaps["viridis"](Normalize(low, high)(found)))


def name_classes(axes: Axes, points: Floats, labels: NDArray[np.int_]) -> None:
    """Write each class' number among its images or, where classes lie over each other, beside its colour."""
    numbers = np.unique(labels)
    if numbers[-1] - numbers[0] >= len(CLASSES):
        return
    middles = np.stack([np.median(points[labels == label], axis=0) for label in numbers])
    if middles.var(0).sum() > APART * points.var(0).sum() and np.ptp(middles, axis=0).max() > LEAST_SPREAD:
        for label, middle in zip(numbers, middles, strict=True):
            axes.text(
                middle[0], middle[1], str(label), fontsize=11, weight="bold", ha="center", va="center", bbox=WHITE_BOX
            )
        return
    colours = colours_of(numbers, len(numbers))
    dots = [axes.scatter([], [], color=colour, label=str(n)) for n, colour in zip(numbers, colours, strict=True)]
    axes.legend(handles=dots, title="class", fontsize=SMALL, title_fontsize=SMALL, loc="upper right", framealpha=0.8)
