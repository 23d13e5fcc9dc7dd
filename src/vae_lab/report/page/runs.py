"""One run as the page lists it."""

import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from vae_lab.checks import printable
from vae_lab.report.commands import PYTHON, again
from vae_lab.report.comparison import short_names
from vae_lab.report.figures import FIGURES, cell
from vae_lab.report.page.entries import Entry, Figure, Key
from vae_lab.report.page.titles import title_of, unit_of
from vae_lab.runs.result import SPLIT
from vae_lab.runs.run import Run, text

PICTURES = (".png", ".gif")
DIGITS = 4  # of a figure that no table of the report shows


def figures_of(runs: Sequence[Run], columns: Mapping[str, str]) -> list[Figure]:
    """The figures that some finished run has: the columns of the table, by title and name, then all others."""
    measured = dict.fromkeys(name.removeprefix(f"{SPLIT}/") for run in runs for name in run.result.metrics)
    others = [name for name in measured if any(run.figure(name) is not None for run in runs)]
    shown = [
        Figure(name=name, title=title, unit=unit_of(name), digits=FIGURES[title].digits, column=True)
        for title, name in columns.items()
    ]
    return shown + [
        Figure(name=name, title=title_of(name), unit=unit_of(name), digits=DIGITS, column=False)
        for name in others
        if name not in columns.values()
    ]


def entry(
    run: Run, keys: Sequence[Key], figures: Sequence[Figure], shared: Iterable[str], page: Path, marked: bool = False
) -> Entry:
    """A run, its links relative to the folder ``page``."""
    result = run.result
    rates = [None if math.isnan(rate) else float(f"{rate:.4g}") for rate in result.figures_by_dimension("rate_dim")]
    return Entry(
        name=printable(run.name),
        label=label(run, [key.key for key in keys]),
        folder=link(run.directory, page),
        values=[key.values.index(text(run.overrides, key.key)) for key in keys],
        marked=marked,
        status=run.status,
        reason=printable(run.reason or run.problem or elsewhere(run)),
        collapse=run.collapse,
        verdict=result.verdict or "" if run.finished else "",
        cause=cause_words(run),
        numbers=[run.figure(figure.name) for figure in figures],
        cells=[cell(run, figure.title) for figure in figures if figure.column],
        rates=sorted(rates, key=lambda rate: math.inf if rate is None else -rate),
        used=result.latent_dim - result.unused if run.finished else None,
        seconds=result.seconds,
        steps=result.steps,
        seed=result.seed,
        settings=[(key, text(run.overrides, key)) for key in run.overrides if key not in shared],
        checks=list(run.diagnosis.checks) if run.diagnosis else [],
        advice=advice(run),
        commands=commands(run),
        pictures=pictures(run.directory, page),
    )


def elsewhere(run: Run) -> str:
    """Where a model from outside was trained; empty for a run."""
    return "trained elsewhere" if run.result.examination else ""


def label(run: Run, keys: Sequence[str]) -> str:
    """The swept values that a run has: ``beta=4, seed=0``; its name where there are none."""
    named = [(name, key) for name, key in zip(short_names(keys), keys, strict=True) if key in run.overrides]
    return ", ".join(f"{name}={text(run.overrides, key)}" for name, key in named) or printable(run.name)


def cause_words(run: Run) -> str:
    """The cause of its collapse or divergence, and how certain it is; empty where there is none."""
    return f"{run.cause.words} ({run.cause.certainty})".removesuffix(" ()") if run.cause else ""


def advice(run: Run) -> str:
    """What to change, as overrides, or in the code of a model from outside; empty where there is nothing to say."""
    if run.result.examination:
        return "\n".join(run.result.examination.advice)
    change = run.cause.change if run.cause else {}
    return " ".join(f"{key}={text(change, key)}" for key in change)


def commands(run: Run) -> list[tuple[str, str]]:
    """Commands about a run: to make it again, and, once it has finished, to see it and to diagnose it."""
    found = [("Make it again", command_again(run.directory))]
    if run.finished and run.result.examination:
        found.append(("Diagnose it", shlex.join([*PYTHON, "vae_lab.diagnose", f"run={run.directory}"])))
    elif run.finished:
        about = f"run={run.directory}"
        found.append(("See its latent space", shlex.join([*PYTHON, "vae_lab.latents", about])))
        found.append(("Diagnose it", shlex.join([*PYTHON, "vae_lab.diagnose", about])))
    return [(title, printable(command)) for title, command in found if command]


def command_again(run: Path) -> str:
    """The command that makes a run again; empty where none is recorded."""
    return again(run) if (run / ".hydra" / "overrides.yaml").is_file() else ""


def pictures(run: Path, page: Path) -> list[tuple[str, str]]:
    """The pictures and films of a run: a title, and a link relative to the folder ``page``."""
    folder = run / "figures"
    files = sorted(file for file in folder.iterdir() if file.suffix in PICTURES) if folder.is_dir() else []
    return [(printable(file.stem.replace("_", " ")), link(file, page)) for file in files]


def link(path: Path, page: Path) -> str:
    """A path as a link from the folder ``page``."""
    return quote(os.fsencode(Path(os.path.relpath(path, page)).as_posix()))
