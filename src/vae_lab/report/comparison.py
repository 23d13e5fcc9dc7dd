"""The table of a sweep: a row per run, or per setting where there are several seeds."""

from collections.abc import Sequence

from vae_lab.diagnosis.causes import Cause
from vae_lab.report.figures import FIGURES, bound, bracket, cell, figures_of, rounded
from vae_lab.report.table import Content
from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import Setting, settings_of
from vae_lab.runs.sweep import SEED

LATE = max(shown.rank for shown in FIGURES.values()) + 1  # the rank of what leaves a narrow table first


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


def runs_content(runs: Sequence[Run], keys: Sequence[str]) -> Content:
    """A row per run."""
    figures, notes, rows = figures_of(runs), Notes(), []
    for run in runs:
        seconds = "-" if run.result.seconds is None else rounded(run.result.seconds, 1)
        swept = [text(run.overrides, key) for key in keys]
        collapse = run.collapse.replace(", held at its floor", " (floor)")
        rows.append([*swept, *(cell(run, title) for title in figures), seconds, notes.refer(collapse, run.cause)])
    ranks = [*(0 for _ in keys), *(shown.rank for shown in figures.values()), LATE, 0]
    return Content([*short_names(keys), *figures, "seconds", "collapse"], rows, 1, ranks, notes.words)


def settings_content(settings: Sequence[Setting], keys: Sequence[str]) -> Content:
    """A row per setting: median [least, largest] over its seeds."""
    names = [key for key in keys if key != SEED]
    figures, notes, rows = figures_of(run for setting in settings for run in setting.runs), Notes(), []
    for setting in settings:
        swept = [text(setting.values, key) for key in names]
        spreads = [spread(setting, title) for title in figures]
        collapse = notes.refer(setting.collapse, setting.cause)
        rows.append([*swept, str(len(setting.runs)), *spreads, setting.used, collapse])
    ranks = [*(0 for _ in names), LATE, *(shown.rank for shown in figures.values()), LATE, 0]
    headings = [*short_names(names), "seeds", *figures, "dims used", "collapse"]
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


def content(runs: Sequence[Run], keys: Sequence[str]) -> Content:
    """The table of a sweep: by setting where there are several seeds, else by run."""
    settings = settings_of(runs, keys)
    if any(len(setting.runs) > 1 for setting in settings):
        return settings_content(settings, keys)
    return runs_content(runs, keys)
