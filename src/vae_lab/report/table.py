"""Tables for the terminal."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from vae_lab.report.summary import figures_of
from vae_lab.runs.run import FLOOR, Run, text
from vae_lab.runs.setting import Setting, settings_of

WIDE = 1000  # columns: more than any table needs


def wide() -> Console:
    """A console without bounds or control characters: a figure that is cut off is none."""
    return Console(width=WIDE, no_color=True, highlight=False, emoji=False, markup=False, force_terminal=False)


def show(table: Table) -> None:
    """Print a table as wide as it is, without trailing blanks."""
    screen = wide()
    with screen.capture() as capture:
        screen.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def fits(table: Table) -> bool:
    """Whether the terminal is wide enough for a table; files and pipes always are."""
    return not sys.stdout.isatty() or wide().measure(table).maximum <= shutil.get_terminal_size().columns


def short_names(keys: Sequence[str]) -> list[str]:
    """Keys without their group where that tells them apart: ``beta`` for ``model.beta``."""
    last = [key.rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for name, key in zip(last, keys, strict=True)]


def cell(run: Run, title: str, name: str) -> str:
    """One figure of a run as the table shows it: ``name`` is its name, ``title`` the column's."""
    value = run.figure(name)
    if value is None:
        return "-"
    if title == "active units":
        return f"{value:.0f} of {run.result['latent_dim']}"
    return bound(title, run.saturated) + rounded(value)


def bound(title: str, saturated: bool) -> str:
    """The sign in front of a mutual information near its ceiling, and of the prior gap that comes from it."""
    return {"MI": "≥ ", "prior gap": "≤ "}.get(title, "") if saturated else ""


def rounded(value: float, digits: int = 2) -> str:
    """A figure with ``digits`` behind the point, and no minus in front of a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


@dataclass(frozen=True)
class Content:
    """A table as text: ``headings``, ``rows``, and how many of the last columns hold words, not figures."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1

    def rich(self) -> Table:
        """For the terminal. Headings of several words stand above each other."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
        figures = len(self.headings) - self.words
        for i, title in enumerate(self.headings):
            if i < figures:
                heading = title if {"(", "."} & set(title) else title.replace(" ", "\n").replace("_", "_\n")
                table.add_column(heading, justify="right", no_wrap=True)
            else:
                table.add_column(title)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """As a Markdown table."""
        figures = len(self.headings) - self.words
        rule = ["---:" if i < figures else "---" for i in range(len(self.headings))]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.headings, rule, *self.rows))

    def latex(self) -> str:
        """As a LaTeX tabular; needs the package booktabs."""
        columns = "r" * (len(self.headings) - self.words) + "l" * self.words
        lines = [" & ".join(map(latex_text, row)) + r" \\" for row in (self.headings, *self.rows)]
        body = [lines[0], r"\midrule", *lines[1:]]
        return "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}"])


def latex_text(text: str) -> str:
    """Text with LaTeX's special characters escaped and the signs of our tables as mathematics."""
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text.replace("\\", "/"))
    for sign, command in (
        ("≥", r"\geq"),
        ("β", r"\beta"),
        ("σ²", r"\sigma^2"),
        ("×", r"\times"),
        ("<", "<"),
        ("ε", r"\epsilon"),
    ):
        escaped = escaped.replace(sign, f"${command}$")
    return escaped


def runs_content(runs: Sequence[Run], keys: Sequence[str], with_cause: bool) -> Content:
    """A row per run, which ends with the cause of its collapse when asked for."""
    rows, figures = [], figures_of(runs)
    for run in runs:
        seconds = run.result.get("seconds")
        values = [text(run.overrides, key) for key in keys]
        ending = [f"{seconds:.1f}" if seconds is not None else "-", run.short_verdict]
        rows.append(
            [
                *values,
                *(cell(run, *column) for column in figures.items()),
                *ending,
                *([run.cause] if with_cause else []),
            ]
        )
    headings = [*short_names(keys), *figures, "seconds", "verdict", *(["cause"] if with_cause else [])]
    return Content(headings, rows, words=1 + with_cause)


def settings_content(settings: Sequence[Setting], keys: Sequence[str], with_cause: bool) -> Content:
    """A row per setting: median [least, largest] over its seeds."""
    names = [key for key in keys if key != "seed"]
    rows, figures = [], figures_of(run for setting in settings for run in setting.runs)
    for setting in settings:
        cells = []
        for title, name in figures.items():
            spread = setting.spread(name)
            middle, low, high = (rounded(v, 0 if title == "active units" else 2) for v in spread or (0, 0, 0))
            sign = bound(title, any(run.saturated for run in setting.finished))
            extent = f" [{low}, {high}]" if title != FLOOR else ""
            cells.append(f"{sign}{middle}{extent}" if spread else "-")
        values = [text(setting.values, key) for key in names]
        cause = [setting.cause] if with_cause else []
        rows.append([*values, str(len(setting.runs)), *cells, setting.in_use, setting.verdicts, *cause])
    headings = [*short_names(names), "seeds", *figures, "dims used", "verdicts", *(["cause"] if with_cause else [])]
    return Content(headings, rows, words=1 + with_cause)


def content(runs: Sequence[Run], keys: Sequence[str], with_cause: bool | None = None) -> Content:
    """The table of a sweep: by setting where there are several seeds, else by run; with causes where there are any."""
    settings = settings_of(runs, keys)
    if any(len(setting.runs) > 1 for setting in settings):
        caused = any(setting.cause for setting in settings) if with_cause is None else with_cause
        return settings_content(settings, keys, caused)
    return runs_content(runs, keys, any(run.cause for run in runs) if with_cause is None else with_cause)


def show_runs(runs: Sequence[Run], keys: Sequence[str]) -> None:
    """Print the table of a sweep; causes end their row, or stand below where the terminal is too narrow for that."""
    table = content(runs, keys).rich()
    if fits(table):
        show(table)
        return
    show(content(runs, keys, with_cause=False).rich())
    for cause in dict.fromkeys(run.cause for run in runs if run.cause):
        print(f"cause: {cause}")
        for run in (run for run in runs if run.cause == cause):
            values = zip(short_names(keys), keys, strict=True)
            print(f"  {', '.join(f'{name}={text(run.overrides, key)}' for name, key in values)}")


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
