"""The runs of a sweep in the rate-distortion plane."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vae_lab.figures.sweep_style import Look, add_legend

GREY = "#666666"
MARKERS = {"-": "o", "--": "s", ":": "^"}  # where colours come again, dashes and markers change
ISO_LINES = 8  # about how many

Point = tuple[str, float, float, bool]  # the run's value of the key, rate, distortion, whether it collapsed


def draw(points: Sequence[Point], key: str, looks: Mapping[str, Look]) -> Figure:
    """A point per run, hollow where it collapsed, over lines of equal ELBO = -(distortion + rate)."""
    figure = Figure(figsize=(7.2, 4.8), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for value, rate, distortion, collapsed in points:
        colour, dash = looks[value]
        face = "none" if collapsed else colour
        axes.plot(rate, distortion, MARKERS[dash], color=colour, markerfacecolor=face, zorder=3)
    axes.margins(0.1)
    add_iso_lines(axes)
    hollow = "; hollow: collapsed" if any(collapsed for *_, collapsed in points) else ""
    axes.set(xlabel="KL (rate), nats per image", ylabel=f"distortion, nats per image{hollow}")
    add_legend(figure, key, looks)
    return figure


def add_iso_lines(axes: Any) -> None:
    """Lines of equal ELBO across the axes, each with its value along its beginning."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    for total in MaxNLocator(ISO_LINES).tick_values(left + low, right + high):
        start, end = max(left, total - high), min(right, total - low)
        if start < end:
            axes.plot([start, end], [total - start, total - end], ":", color=GREY, linewidth=0.8, zorder=1)
            along = {"rotation": -45, "rotation_mode": "anchor", "transform_rotates_text": True, "va": "bottom"}
            axes.text(start, total - start, f"   ELBO {-total:g}", fontsize=7, color=GREY, clip_on=True, **along)
    axes.set(xlim=(left, right), ylim=(low, high))
