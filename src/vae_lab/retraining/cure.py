"""A collapsed run cured: what its diagnosis proposes is tried, and diagnosed again, until z is in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vae_lab.config.names import key_and_text
from vae_lab.diagnosis.causes import NOT_FOUND, Cause
from vae_lab.report.commands import changed_arguments
from vae_lab.report.comparison import spread
from vae_lab.report.figures import cell
from vae_lab.report.table import Content
from vae_lab.retraining.again import Say, named, original, seeds_of, tell, train_again
from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import Setting

FOLDER = "cure"
BEFORE = "before"
COLUMNS = ("KL (rate)", "MI", "shuffle gap", "ELBO")
ALIKE = 0.05  # nats of ELBO: less than it is no difference


class Attempt(NamedTuple):
    """A round: what was changed in words, all changes up to it, and the run that they make."""

    words: str
    changes: Mapping[str, Any]
    arguments: Sequence[str]
    run: Run


@dataclass(frozen=True)
class Cure:
    """What has become of a run.

    Args:
        run: that was to be cured.
        rounds: what was tried.
        before: the run's own setting, one run per seed.
        after: the last setting that was tried, one run per seed.
        reason: why it did not go on; empty where z is in use.
    """

    run: Run
    rounds: Sequence[Attempt]
    before: Setting
    after: Setting
    reason: str = ""

    @property
    def cured(self) -> bool:
        """Whether z is in use in every seed, with nothing left to blame."""
        return not self.reason and all(in_use(run) for run in self.after.runs)


def cure(run: Run, rounds: int = 3, seeds: int = 3, say: Say = tell) -> Cure:
    """Try what the diagnosis proposes, at most so many rounds, each from the one before, with the run's own seed.

    What helps is trained with the other seeds too, and so are the run's own settings, so that both stand side by side.
    Every run lies in the directory of the one that is cured.

    Raises:
        ValueError: whatever training it again raises.
    """
    tried, reason = attempts(run, rounds, say)
    before, after = [run], [tried[-1].run if tried else run]
    if tried and not reason:
        others, last = seeds_of(run, seeds)[1:], tried[-1]
        after += trained(last.arguments, folder_of(run, last.changes), "after", others, say)
        before += trained(original(run), run.directory / FOLDER / BEFORE, BEFORE, others, say)
    return Cure(run, tried, Setting({}, before), Setting({}, after), reason)


def attempts(run: Run, rounds: int, say: Say) -> tuple[list[Attempt], str]:
    """The rounds, with the run's own seed, until z is in use; else why there are no more."""
    arguments, changes, current = original(run), dict[str, Any](), run
    tried: list[Attempt] = []
    while not in_use(current):
        if len(tried) == rounds:
            return tried, f"{rounds} round{'s' if rounds > 1 else ''} did not help"
        following, reason = proposal(arguments, current.cause)
        if following is None:
            return tried, reason
        cause, label = current.cause or NOT_FOUND, f"round {len(tried) + 1}"
        arguments, changes = following, {**changes, **cause.change}
        say(f"{label}: {cause.words}; try {words_of(cause)}")
        current = train_again(arguments, folder_of(run, changes) / f"seed={run.result.seed}", label, say)
        tried.append(Attempt(words_of(cause), changes, arguments, current))
        if not current.finished:
            return tried, f"{label} {current.ending}"
    return tried, ""


def folder_of(run: Run, changes: Mapping[str, Any]) -> Path:
    """Where the runs with these changes lie."""
    return run.directory / FOLDER / named(changes)


def in_use(run: Run) -> bool:
    """Whether a finished run uses z, and not only because a floor holds its rate up."""
    return run.finished and not run.collapsed and run.cause is None


def proposal(arguments: Sequence[str], cause: Cause | None) -> tuple[list[str] | None, str]:
    """The arguments that a cause proposes to try, or None and why there are none."""
    if cause is None or not cause.change:
        return None, "the diagnosis has nothing to propose"
    if any("," in text(cause.change, key) for key in cause.change):
        return None, f"the cause is {cause.words}"
    changed = changed_arguments(arguments, cause.change)
    if changed is None or changed == list(arguments):
        return None, f"no run can be made with {words_of(cause)}"
    return changed, ""


def words_of(cause: Cause) -> str:
    """Its change as a person types it."""
    return " ".join(f"{key}={text(cause.change, key)}" for key in cause.change)


def trained(arguments: Sequence[str], folder: Path, label: str, seeds: Sequence[int], say: Say) -> list[Run]:
    """The runs of these seeds."""
    own = [argument for argument in arguments if key_and_text(argument)[0] != "seed"]
    return [train_again([*own, f"seed={s}"], folder / f"seed={s}", f"{label} seed={s}", say) for s in seeds]


def content(found: Cure) -> Content:
    """Before and after side by side."""
    many = len(found.after.runs) > 1
    rows = [
        [name, *(spread(at, title) if many else cell(at.runs[0], title) for title in COLUMNS), at.collapse]
        for name, at in ((BEFORE, found.before), ("after", found.after))
    ]
    return Content(["", *COLUMNS, "verdict" + many * "s"], rows)


def seeds_in_words(count: int) -> str:
    """``in all 3 seeds``, or that there was one."""
    return f"in all {count} seeds" if count > 1 else "in the one seed that was trained"


def sentences(found: Cure) -> list[str]:
    """What came of it, and what it cost."""
    if not found.rounds:
        return [f"nothing was tried: {found.reason}"]
    changes = "; then ".join(attempt.words for attempt in found.rounds)
    if found.cured:
        return [f"cured by {changes}: z is in use {seeds_in_words(len(found.after.runs))}", price(found)]
    if found.reason:
        return [f"not cured by {changes}: {found.reason}"]
    used = sum(in_use(run) for run in found.after.runs)
    return [f"{changes} helped in {used} of {len(found.after.runs)} seeds only", price(found)]


def price(found: Cure) -> str:
    """What the cure cost in ELBO, or gained, by the medians over the seeds."""
    scores = {o.scores if (o := setting.runs[0].result.objective) else None for setting in (found.before, found.after)}
    spreads = [setting.spread("elbo") for setting in (found.before, found.after)]
    if len(scores) > 1:
        return "what it cost cannot be said: the likelihoods do not compare"
    if spreads[0] is None or spreads[1] is None:
        return "what it cost cannot be said: the ELBO is not finite"
    gain = spreads[1][0] - spreads[0][0]
    if abs(gain) < ALIKE:
        return "it cost nothing: the ELBO is the same"
    medians = " (medians over the seeds)" if len(found.after.runs) > 1 else ""
    return f"it {'gained' if gain > 0 else 'cost'} {abs(gain):.2f} nats of ELBO{medians}"
