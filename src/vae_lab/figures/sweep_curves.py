"""The curves of a sweep over each other."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from vae_lab.figures.sweep_style import Look, add_legend

Curve = tuple[str, Sequence[int], Sequence[float]]  # the run's value of the key, steps, figures


def draw(curves: Sequence[Curve], key: str, looks: Mapping[str, Look], label: str) -> Figure:
    """A line per run over the optimizer steps, coloured by its value of ``key``. ``label`` names figure and unit."""
    figure = Figure(figsize=(7.2, 4.2), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for value, steps, figures in curves:
        colour, dash = looks[value]
        axes.plot(steps, figures, color=colour, linestyle=dash, linewidth=1.2, alpha=0.85)
    axes.set(xlabel="optimizer step", ylabel=label)
    add_legend(figure, key, looks)
    return figure
