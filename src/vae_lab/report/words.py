"""What a sweep says, in words that its seeds support and no more."""

from collections.abc import Sequence
from statistics import mean
from typing import NamedTuple

from vae_lab.report.cautions import cautions, endings
from vae_lab.report.effects import batch_size_effect, prevented_collapses
from vae_lab.report.front import LUCK, findings
from vae_lab.runs.run import Run, text
from vae_lab.runs.search import Search
from vae_lab.runs.setting import settings_of
from vae_lab.runs.sweep import SEED


def sentences(runs: Sequence[Run], keys: Sequence[str], search: Search | None = None) -> list[str]:
    """What was found, which runs collapsed, how that goes with each swept key, what prevented it, what to beware of."""
    found = summary(runs, keys, search)
    return [*found.findings, *found.collapses, *found.effects, *found.cautions, *found.endings]


class Summary(NamedTuple):
    """The sentences of a sweep by what they are about; a line that begins with a blank belongs to the one before."""

    collapses: Sequence[str]  # which runs collapsed, and how that goes with each swept key
    effects: Sequence[str]  # what a change did
    cautions: Sequence[str]  # what to beware of
    endings: Sequence[str]  # which runs did not finish, and why
    findings: Sequence[str] = ()  # of a search


def summary(runs: Sequence[Run], keys: Sequence[str], search: Search | None = None) -> Summary:
    """What a sweep says, in words."""
    settings = settings_of(runs, keys)
    finished = [run for run in runs if run.finished]
    if not finished:
        return Summary([], [], [], endings(runs))
    if len(finished) == 1:
        return Summary([collapse(finished[0])], [], cautions(finished, settings), endings(runs))
    # of a search no value has runs that stand for it
    by_key = [] if search else [line for key in keys if key != SEED for line in by_value(finished, key)]
    effects = prevented_collapses(settings) + batch_size_effect(settings)
    words = [*([LUCK] if search else []), *cautions(finished, settings)]
    return Summary([count(finished), *by_key], effects, words, endings(runs), findings(runs, keys, search))


def collapse(run: Run) -> str:
    """How far one run collapsed."""
    result = run.result
    words = {
        "none": f"none, all {result.latent_dim} dimensions of z are used",
        "partial": f"partial, {result.unused} of {result.latent_dim} dimensions of z are unused",
        "full": "full, the decoder ignores z",
    }
    return f"Collapse: {words[result.verdict or 'none']}."


def count(finished: Sequence[Run]) -> str:
    """How many runs ended with which verdict."""
    verdicts = [run.result.verdict for run in finished]
    full, partial, none = (verdicts.count(kind) for kind in ("full", "partial", "none"))
    used = f"{partial} with some dimensions unused, {none} with all dimensions used"
    return f"{len(verdicts)} runs: {full} collapsed (the decoder ignores z), {used}."


def by_value(finished: Sequence[Run], key: str) -> list[str]:
    """How often each value of a key collapsed, and its mean KL over the rest of the grid.

    Nothing where each value has one run: the table says it then.
    """
    groups: dict[str, list[Run]] = {}
    for run in (run for run in finished if key in run.overrides):
        groups.setdefault(text(run.overrides, key), []).append(run)
    if all(len(group) == 1 for group in groups.values()):
        return []
    parts = []
    for value, group in groups.items():
        rate = mean(run.figure("rate") or 0.0 for run in group)
        parts.append(f"{value}: {sum(run.collapsed for run in group)} of {len(group)} collapsed, mean KL {rate:.2f}")
    where = "" if all(key in run.overrides for run in finished) else " (where it applies)"
    return [f"{key}{where} = {'; '.join(parts)}."]
