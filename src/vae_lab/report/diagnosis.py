"""A diagnosis as a person reads it: checks, cause, and the one thing to try."""

from collections.abc import Sequence

from vae_lab.diagnosis.causes import Cause
from vae_lab.diagnosis.diagnosis import Diagnosis
from vae_lab.diagnosis.elsewhere import ADVICE
from vae_lab.report.commands import retry
from vae_lab.report.table import WIDE, say, show, terminal_width, words_table


def show_diagnosis(found: Diagnosis, arguments: Sequence[str] | None) -> None:
    """Print it. ``arguments`` are those that made the run; None for a training elsewhere."""
    show_checks(found)
    change = found.cause.change
    if found.cause.kind == "none":
        return
    if arguments is None:
        print(f"try: {ADVICE[found.cause.kind]}")
    elif change and (again := retry(arguments, change)):
        print(f"try: {again}")


def show_examination(found: Diagnosis, advice: Sequence[str]) -> None:
    """Print the diagnosis of a model from outside, with what to change in its code."""
    show_checks(found)
    print("\n".join(own_code(advice)))


def show_checks(found: Diagnosis) -> None:
    """Print what was looked at, and the cause."""
    show(words_table(found.checks), terminal_width() or WIDE)
    say(conclusion(found.cause))


def conclusion(cause: Cause) -> list[str]:
    """The cause in words, and how certain it is."""
    if cause.kind == "none":
        return [cause.words]
    return [f"cause ({cause.certainty}): {cause.words}" if cause.certainty else f"cause: {cause.words}"]


def own_code(advice: Sequence[str]) -> list[str]:
    """What to change in one's own code; nothing where nothing is."""
    if not advice:
        return []
    return ["try, in your own code:", *(f"  {line}" for line in advice)]
