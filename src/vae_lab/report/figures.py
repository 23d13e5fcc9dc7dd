"""Figures as text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from vae_lab.runs.run import Run


@dataclass(frozen=True)
class Shown:
    """A figure of a run as a column of a table: its name, and its ``rank``: the higher, the earlier it leaves."""

    name: str
    rank: int
    digits: int = 2


FIGURES = {
    "ELBO": Shown("elbo", 3),
    "bits/dim": Shown("bits_per_dim", 9, digits=3),
    "KL (rate)": Shown("rate", 0),
    "floor": Shown("rate_floor", 5),
    "distortion": Shown("distortion", 4),
    "MI": Shown("mutual_information", 1),
    "prior gap": Shown("prior_gap", 8),
    "active units": Shown("active_units", 6, digits=0),
    "shuffle gap": Shown("shuffle_gap", 2),
    "linear KL": Shown("linear_rate", 7),
    "perceptual": Shown("perceptual", 10, digits=3),
    "sharpness": Shown("sharpness", 11),
    "sample sharpness": Shown("sharpness_samples", 12),
    "FD-lite0": Shown("fd_lite0", 13, digits=1),
}

BOUNDS = {"MI": "≥ ", "prior gap": "≤ "}  # where the mutual information is near its ceiling
OPTIONAL = ("floor", "linear KL", "perceptual", "FD-lite0")  # columns that most sweeps have nothing for
BESIDE = {"sharpness": "FD-lite0", "sample sharpness": "FD-lite0"}  # columns that stand where another one does
COMPARABLE = ("bits/dim",)  # columns that say nothing unless all runs have them


def figures_of(runs: Iterable[Run]) -> dict[str, Shown]:
    """The figures of a table by heading.

    The floor, the linear prediction and the perceptual figures stand only where a run has one, the sharpness only
    beside a Fréchet distance, bits per dimension only where all have them.
    None stands where no run finished.
    """
    finished = [run for run in runs if run.finished]
    if not finished:
        return {}

    def stands(title: str, name: str) -> bool:
        asked = FIGURES[BESIDE[title]].name if title in BESIDE else name
        has = [run.figure(asked) is not None for run in finished]
        return any(has) if title in OPTIONAL or title in BESIDE else all(has) if title in COMPARABLE else True

    return {title: shown for title, shown in FIGURES.items() if stands(title, shown.name)}


def cell(run: Run, title: str) -> str:
    """One figure of a run as the table shows it under the heading ``title``."""
    value = run.figure(FIGURES[title].name)
    if value is None:
        return "-"
    if title == "active units":
        return f"{value:.0f} of {run.result.latent_dim}"
    if bounds := run.bracket(FIGURES[title].name):
        return bracket(bounds)
    return bound(title, run.saturated) + rounded(value, FIGURES[title].digits)


def bracket(bounds: tuple[float, float]) -> str:
    """What lies between two bounds: ``5.41 to 8.12``."""
    return f"{rounded(bounds[0])} to {rounded(bounds[1])}"


def bound(title: str, saturated: bool) -> str:
    """The sign in front of a mutual information near its ceiling, and of the prior gap that comes from it."""
    return BOUNDS.get(title, "") if saturated else ""


def rounded(value: float, digits: int = 2) -> str:
    """A figure with ``digits`` behind the point, and no minus in front of a zero.

    Example:
        >>> rounded(-0.001)
        '0.00'
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"


def figures_table(figures: Mapping[str, Any], recorded: Mapping[str, Any]) -> Table:
    """A row per figure: as computed now, and as ``result.json`` has it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("figure", "now", "in result.json"):
        table.add_column(title, justify="left" if title == "figure" else "right", no_wrap=title == "figure")
    for name, value in figures.items():
        table.add_row(name, number_text(value), number_text(recorded.get(name)))
    return table


def number_text(value: Any) -> str:
    """A figure, or the figures of all dimensions, with four digits behind the point."""
    if isinstance(value, (list, tuple)):
        return " ".join(number_text(entry) for entry in value)
    return "-" if value is None else rounded(value, 4)
