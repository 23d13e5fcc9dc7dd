"""The curves of scheduled coefficients."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from vae_lab.figures.style import BLUE


def draw(steps: Sequence[int], curves: Mapping[str, Sequence[float]]) -> Figure:
    """One panel above the other for each coefficient, over the optimizer steps."""
    figure = Figure(figsize=(6.4, 0.9 + 1.7 * len(curves)), dpi=150, layout="constrained")
    panels = figure.subplots(len(curves), sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(panels, curves.items(), strict=True):
        axes.plot(steps, values, color=BLUE)
        axes.set(ylabel=name, ylim=(0, 1.08 * max(*values, 1e-12)), xlim=(0, steps[-1]))
    panels[-1].set_xlabel("optimizer step")
    return figure
