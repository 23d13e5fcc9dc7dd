"""Tables for the terminal."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from vae_lab.report.summary import FIGURES, Run, Setting

WIDE = 200  # columns of a table that goes to a file or a pipe


def console() -> Console:
    """The terminal; in a file or pipe, wide and without control characters."""
    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else WIDE, no_color=not terminal, highlight=False, emoji=False, markup=False)


def cell(run: Run, title: str) -> str:
    """One figure of a run as the table shows it."""
    value = run.figure(FIGURES[title])
    if value is None:
        return "-"
    if title == "active units":
        return f"{value:.0f} of {run.result['latent_dim']}"
    ceiling = run.figure("test/mutual_information_ceiling")
    if title == "MI" and ceiling is not None and value > ceiling - 1:
        return f"≥ {rounded(value)}"
    return rounded(value)


def rounded(value: float, digits: int = 2) -> str:
    """A figure with ``digits`` behind the point, and no minus in front of a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def new_table(left: Sequence[str], right: Sequence[str], last: Sequence[str]) -> Table:
    """An empty table whose middle columns hold figures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in left:
        table.add_column(title, justify="right")
    for title in right:
        table.add_column(title, justify="right", no_wrap=True)
    for title in last:
        table.add_column(title, no_wrap=not sys.stdout.isatty())
    return table


def runs_table(runs: Sequence[Run], keys: Sequence[str]) -> Table:
    """A row per run."""
    table = new_table(keys, list(FIGURES), ["verdict", "seconds"])
    for run in runs:
        seconds = run.result.get("seconds")
        values = [str(run.overrides.get(key, "-")) for key in keys]
        figures = [cell(run, title) for title in FIGURES]
        table.add_row(*values, *figures, run.verdict, f"{seconds:.1f}" if seconds is not None else "-")
    return table


def settings_table(settings: Sequence[Setting], keys: Sequence[str]) -> Table:
    """A row per setting: median [least, largest] over its seeds."""
    names = [key for key in keys if key != "seed"]
    table = new_table(names, ["seeds", *FIGURES], ["verdicts"])
    for setting in settings:
        cells = []
        for title, name in FIGURES.items():
            spread = setting.spread(name)
            middle, low, high = (rounded(v, 0 if title == "active units" else 2) for v in spread or (0, 0, 0))
            cells.append(f"{middle} [{low}, {high}]" if spread else "-")
        values = [str(setting.values[key]) for key in names]
        table.add_row(*values, str(len(setting.runs)), *cells, setting.verdicts)
    return table


def figures_table(figures: Mapping[str, Any], recorded: Mapping[str, Any]) -> Table:
    """A row per figure: as computed now, and as ``result.json`` has it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("figure", "now", "in result.json"):
        table.add_column(title, justify="left" if title == "figure" else "right")
    for name, value in figures.items():
        table.add_row(name, number_text(value), number_text(recorded.get(name)))
    return table


def number_text(value: Any) -> str:
    """A figure, or the figures of all dimensions, with four digits behind the point."""
    if isinstance(value, (list, tuple)):
        return " ".join(number_text(entry) for entry in value)
    return "-" if value is None else rounded(value, 4)
