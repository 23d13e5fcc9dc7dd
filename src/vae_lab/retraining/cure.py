"""A collapsed run cured: what its diagnosis proposes is tried, and diagnosed again, until z is in use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_lab.config.names import key_and_text
from vae_lab.diagnosis.causes import Cause
from vae_lab.report.commands import changed_arguments
from vae_lab.report.comparison import spread
from vae_lab.report.figures import FIGURES
from vae_lab.report.table import Content
from vae_lab.retraining.again import Say, original, seeds_of, train_again
from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import Setting

FOLDER = "cure"
BEFORE = "before"
COLUMNS = ("KL (rate)", "MI", "shuffle gap", "ELBO")
ALIKE = 0.05  # nats of ELBO: less than it is no difference


@dataclass(frozen=True)
class Cure:
    """What has become of a run.

    Args:
        run: that was to be cured.
        rounds: what was tried: the change in words, and the run that it made.
        before: the run's own setting, one run per seed.
        after: the last setting that was tried, one run per seed.
        reason: why it did not go on; empty where z is in use.
    """

    run: Run
    rounds: Sequence[tuple[str, Run]]
    before: Setting
    after: Setting
    reason: str = ""

    @property
    def cured(self) -> bool:
        """Whether z is in use in every seed, with nothing left to blame."""
        return not self.reason and all(in_use(run) for run in self.after.runs)


def cure(run: Run, rounds: int = 3, seeds: int = 3, say: Say = print) -> Cure:
    """Try what the diagnosis proposes, at most so many rounds, each from the one before, with the run's own seed.

    What helps is trained with the other seeds too, and so are the run's own settings, so that both stand side by side.
    Every run lies in the directory of the one that is cured.

    Raises:
        ValueError: whatever training it again raises.
    """
    arguments, current, tried = original(run), run, list[tuple[str, Run]]()
    reason = ""
    while not in_use(current):
        cause = current.cause
        following, reason = (None, "no cause is known") if cause is None else proposal(arguments, cause)
        if following is None or len(tried) == rounds:
            reason = reason or f"{rounds} rounds did not help"
            break
        arguments, words = following, words_of(cause)
        number = len(tried) + 1
        say(f"round {number}: {cause.words if cause else ''}; try {words}")
        folder = run.directory / FOLDER / f"round_{number}"
        current = train_again(arguments, folder / f"seed={run.result.seed}", f"round {number}", say)
        tried.append((words, current))
        if not current.finished:
            reason = f"round {number} {current.ending}"
            break
    if not tried:
        alone = Setting({}, [run])
        return Cure(run, tried, alone, alone, reason)
    others = seeds_of(run, seeds)[1:] if not reason else []
    after = [current, *trained(arguments, run.directory / FOLDER / f"round_{len(tried)}", "after", others, say)]
    before = [run, *trained(original(run), run.directory / FOLDER / BEFORE, BEFORE, others, say)]
    return Cure(run, tried, Setting({}, before), Setting({}, after), reason)


def in_use(run: Run) -> bool:
    """Whether a finished run uses z, and not only because a floor holds its rate up."""
    return run.finished and not run.collapsed and run.cause is None


def proposal(arguments: Sequence[str], cause: Cause) -> tuple[list[str] | None, str]:
    """The arguments that a cause proposes to try, or None and why there are none."""
    if not cause.change:
        return None, "the diagnosis has nothing to propose"
    if any("," in text(cause.change, key) for key in cause.change):
        return None, f"the cause is {cause.words}"
    changed = changed_arguments(arguments, cause.change)
    if changed is None or changed == list(arguments):
        return None, f"no run can be made with {words_of(cause)}"
    return changed, ""


def words_of(cause: Cause | None) -> str:
    """A change as a person types it."""
    change = cause.change if cause else {}
    return " ".join(f"{key}={text(change, key)}" for key in change)


def trained(arguments: Sequence[str], folder: Path, label: str, seeds: Sequence[int], say: Say) -> list[Run]:
    """The runs of these seeds."""
    own = [argument for argument in arguments if key_and_text(argument)[0] != "seed"]
    return [train_again([*own, f"seed={s}"], folder / f"seed={s}", f"{label} seed={s}", say) for s in seeds]


def content(found: Cure) -> Content:
    """Before and after side by side."""
    rows = [
        [name, *(spread(setting, title) for title in COLUMNS), setting.collapse]
        for name, setting in ((BEFORE, found.before), ("after", found.after))
    ]
    assert set(COLUMNS) <= FIGURES.keys()
    return Content(["", *COLUMNS, f"verdicts ({len(found.after.runs)} seeds)"], rows)


def sentences(found: Cure) -> list[str]:
    """What came of it, and what it cost."""
    if not found.rounds:
        return [f"nothing was tried: {found.reason}"]
    changes = "; then ".join(words for words, _ in found.rounds)
    if found.cured:
        return [f"cured by {changes}: z is in use in all {len(found.after.runs)} seeds", price(found)]
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
    return f"it {'gained' if gain > 0 else 'cost'} {abs(gain):.2f} nats of ELBO (medians over the seeds)"
