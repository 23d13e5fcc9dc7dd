"""The table of a sweep: a row per run, or per setting where there are several seeds."""

from collections.abc import Sequence
from typing import NamedTuple

from vae_lab.diagnosis.causes import Cause
from vae_lab.report.figures import FIGURES, bound, bracket, cell, figures_of, rounded
from vae_lab.report.table import Content
from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import Setting, settings_of
from vae_lab.runs.sweep import SEED

LATE = max(shown.rank for shown in FIGURES.values()) + 1  # the rank of what leaves a narrow table first


MARK = "*"


class Marks(NamedTuple):
    """The runs that a table marks, by name, under a heading; none without one."""

    heading: str = ""
    names: frozenset[str] = frozenset()

    @property
    def headings(self) -> list[str]:
        """Its column, where it has one."""
        return [self.heading] if self.heading else []

    def cells(self, runs: Sequence[Run]) -> list[str]:
        """The cell of a row with these runs, where there is such a column."""
        return [MARK if any(run.name in self.names for run in runs) else "" for _ in self.headings]


NO_MARKS = Marks()


class Notes:
    """The causes of a table, each numbered once."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def refer(self, cell: str, cause: Cause | None) -> str:
        """A cell with a reference to its cause, where there is one."""
        if cause is None:
            return cell
        if (words := f"cause: {cause.words}") not in self.words:
            self.words.append(words)
        return f"{cell} [{self.words.index(words) + 1}]"


def short_names(keys: Sequence[str]) -> list[str]:
    """Keys without their group where that tells them apart: ``beta`` for ``model.beta``."""
    last = [key.rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for name, key in zip(last, keys, strict=True)]


def runs_content(runs: Sequence[Run], keys: Sequence[str], marks: Marks = NO_MARKS) -> Content:
    """A row per run."""
    figures, notes, rows = figures_of(runs), Notes(), []
    for run in runs:
        seconds = "-" if run.result.seconds is None else rounded(run.result.seconds, 1)
        swept = [*(text(run.overrides, key) for key in keys), *marks.cells([run])]
        collapse = run.collapse.replace(", held at its floor", " (floor)")
        rows.append([*swept, *(cell(run, title) for title in figures), seconds, notes.refer(collapse, run.cause)])
    leading = [*short_names(keys), *marks.headings]
    ranks = [*(0 for _ in leading), *(shown.rank for shown in figures.values()), LATE, 0]
    return Content([*leading, *figures, "seconds", "collapse"], rows, 1, ranks, notes.words)


def settings_content(settings: Sequence[Setting], keys: Sequence[str], marks: Marks = NO_MARKS) -> Content:
    """A row per setting: median [least, largest] over its seeds."""
    names = [key for key in keys if key != SEED]
    figures, notes, rows = figures_of(run for setting in settings for run in setting.runs), Notes(), []
    for setting in settings:
        swept = [*(text(setting.values, key) for key in names), *marks.cells(setting.runs)]
        spreads = [spread(setting, title) for title in figures]
        collapse = notes.refer(setting.collapse, setting.cause)
        rows.append([*swept, str(len(setting.runs)), *spreads, setting.used, collapse])
    leading = [*short_names(names), *marks.headings]
    ranks = [*(0 for _ in leading), LATE, *(shown.rank for shown in figures.values()), LATE, 0]
    headings = [*leading, "seeds", *figures, "dims used", "collapse"]
    return Content(headings, rows, 1, ranks, notes.words)


def spread(setting: Setting, title: str) -> str:
    """A figure over the seeds of a setting: ``3.01 [2.90, 3.12]``."""
    shown = FIGURES[title]
    found = setting.spread(shown.name)
    if found is None:
        return "-"
    if bounds := setting.bracket(shown.name):
        return bracket(bounds)
    middle, low, high = (rounded(value, shown.digits) for value in found)
    sign = bound(title, any(run.saturated for run in setting.finished))
    return f"{sign}{middle}" + ("" if title == "floor" else f" [{low}, {high}]")


def content(runs: Sequence[Run], keys: Sequence[str], marks: Marks = NO_MARKS) -> Content:
    """The table of a sweep: by setting where there are several seeds, else by run."""
    settings = settings_of(runs, keys)
    if any(len(setting.runs) > 1 for setting in settings):
        return settings_content(settings, keys, marks)
    return runs_content(runs, keys, marks)
