"""The page's data of a sweep."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vae_lab.checks import printable
from vae_lab.report.figures import figures_of as columns_of
from vae_lab.report.front import marks
from vae_lab.report.page.curves import curves_of, packed
from vae_lab.report.page.entries import Chapter, Page
from vae_lab.report.page.keys import keys_of
from vae_lab.report.page.runs import cause_words, entry, figures_of
from vae_lab.report.page.theory import lines
from vae_lab.report.words import summary
from vae_lab.runs.run import Run, text
from vae_lab.runs.sweep import Sweep


def gather(sweep: Sweep, folder: Path) -> tuple[Page, bytes]:
    """The page of a sweep that will lie in a folder, and its block of curves."""
    runs = sweep.runs
    keys = keys_of(runs, sweep.keys)
    figures = figures_of(runs, {title: shown.name for title, shown in columns_of(runs).items()})
    curves, block = packed([curves_of(run) for run in runs])
    shared, marked = shared_settings(runs), marks(runs, sweep.keys, sweep.search)
    page = Page(
        title=title(sweep.directory),
        subtitle=subtitle(sweep),
        chapters=chapters(sweep),
        keys=keys,
        figures=figures,
        mark=marked.heading,
        runs=[entry(run, keys, figures, shared, folder, run.name in marked.names) for run in runs],
        shared=list(shared.items()),
        theory=lines(runs),
        curves=curves,
    )
    return page, block


def shared_settings(runs: Sequence[Run]) -> dict[str, str]:
    """What all runs were given alike, as text; of a single run that is nothing."""
    if len(runs) < 2:
        return {}
    first = runs[0].overrides
    return {key: text(first, key) for key in first if all(text(run.overrides, key) == text(first, key) for run in runs)}


def title(directory: Path) -> str:
    """What a sweep is called: its directory's name. Several sweeps as one have no directory, but names."""
    return printable(directory.resolve().name if directory.is_dir() else str(directory))


def subtitle(sweep: Sweep) -> str:
    """What was run, and when."""
    count = len(sweep.record.jobs) if sweep.record else len(sweep.runs)
    swept = f"swept: {', '.join(sweep.keys)}" if sweep.keys else "nothing swept"
    began = min((run.result.started for run in sweep.runs if run.result.started), default="")
    parts = [
        f"{count} run{'' if count == 1 else 's'}",
        swept,
        *([f"begun {began[:16].replace('T', ' ')} UTC"] if began else []),
    ]
    return printable("; ".join(parts))


def chapters(sweep: Sweep) -> list[Chapter]:
    """What the sweep says, in words; only what there is something to say about."""
    found = summary(sweep.runs, sweep.keys, sweep.search)
    named = {
        "What the search found": found.findings,
        "How much collapsed": found.collapses,
        "Why": causes(sweep.runs),
        "What a change did": found.effects,
        "What to beware of": found.cautions,
        "What did not finish": [*found.endings, *unseen(sweep)],
    }
    return [Chapter(title=title, lines=lines) for title, lines in named.items() if lines]


def causes(runs: Sequence[Run]) -> list[str]:
    """Each cause that was found, with the number of its runs; the commonest first."""
    counted = Counter(words for run in runs if (words := cause_words(run)))
    return [f"{count} run{'' if count == 1 else 's'}: {words}." for words, count in counted.most_common()]


def unseen(sweep: Sweep) -> list[str]:
    """What is not among the runs: directories that cannot be read, and jobs that have not begun."""
    jobs = sweep.record.jobs if sweep.record else []
    waiting = [f"{sweep.waiting} of {len(jobs)} runs have not started."] if sweep.waiting else []
    return [*(printable(f"skipped {reason}") for reason in sweep.skipped), *waiting]
