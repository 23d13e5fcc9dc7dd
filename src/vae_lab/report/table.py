"""Tables for the terminal."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from vae_lab.report.summary import FIGURES, Run, Setting

WIDE = 1000  # columns of a table that goes to a file or a pipe: as many as it needs


def console() -> Console:
    """The terminal; in a file or pipe, as wide as it takes and without control characters."""
    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else WIDE, no_color=not terminal, highlight=False, emoji=False, markup=False)


def show(table: Table) -> None:
    """Print a table without trailing blanks."""
    screen = console()
    with screen.capture() as capture:
        screen.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def short_names(keys: Sequence[str]) -> list[str]:
    """Keys without their group where that tells them apart: ``beta`` for ``model.beta``."""
    last = [key.rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for name, key in zip(last, keys, strict=True)]


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
    """An empty table: what was swept, figures, words. Headings of several words stand above each other."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for title in (*left, *right):
        table.add_column(title.replace(" ", "\n"), justify="right", no_wrap=True)
    for title in last:
        table.add_column(title)
    return table


def runs_table(runs: Sequence[Run], keys: Sequence[str], with_cause: bool) -> Table:
    """A row per run, which ends with the cause of its collapse when asked for."""
    table = new_table(short_names(keys), list(FIGURES), ["verdict", "s", *(["cause"] if with_cause else [])])
    for run in runs:
        seconds = run.result.get("seconds")
        values = [str(run.overrides.get(key, "-")) for key in keys]
        figures = [cell(run, title) for title in FIGURES]
        ending = [run.short_verdict, f"{seconds:.1f}" if seconds is not None else "-"]
        table.add_row(*values, *figures, *ending, *([run.cause] if with_cause else []))
    return table


def show_runs(runs: Sequence[Run], keys: Sequence[str]) -> None:
    """Print the table of runs; causes end their row, or stand below where the terminal is too narrow for that."""
    collapsed = [run for run in runs if run.cause]
    table = runs_table(runs, keys, with_cause=bool(collapsed))
    screen = console()
    if collapsed and screen.measure(table).maximum > screen.width:
        show(runs_table(runs, keys, with_cause=False))
        for run in collapsed:
            print(f"{', '.join(f'{key}={run.overrides[key]}' for key in keys if key in run.overrides)}: {run.cause}")
    else:
        show(table)


def settings_table(settings: Sequence[Setting], keys: Sequence[str]) -> Table:
    """A row per setting: median [least, largest] over its seeds."""
    names = [key for key in keys if key != "seed"]
    caused = any(setting.cause for setting in settings)
    table = new_table(short_names(names), ["seeds", *FIGURES], ["verdicts", *(["cause"] if caused else [])])
    for setting in settings:
        cells = []
        for title, name in FIGURES.items():
            spread = setting.spread(name)
            middle, low, high = (rounded(v, 0 if title == "active units" else 2) for v in spread or (0, 0, 0))
            cells.append(f"{middle} [{low}, {high}]" if spread else "-")
        values = [str(setting.values[key]) for key in names]
        table.add_row(*values, str(len(setting.runs)), *cells, setting.verdicts, *([setting.cause] if caused else []))
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


def words_table(rows: Sequence[tuple[str, str]]) -> Table:
    """A row per check: its name, and what it found."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, words in rows:
        table.add_row(name, words)
    return table
