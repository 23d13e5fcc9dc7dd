"""Tables for the terminal."""

import sys
from collections.abc import Sequence

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
        return f"≥ {value:.2f}"
    return f"{value:.2f}"


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
            digits = 0 if title == "active units" else 2
            cells.append("-" if spread is None else "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(*spread, d=digits))
        values = [str(setting.values[key]) for key in names]
        table.add_row(*values, str(len(setting.runs)), *cells, setting.verdicts)
    return table
