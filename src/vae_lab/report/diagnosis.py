"""A diagnosis as a person reads it: checks, cause, and the one thing to try."""

from collections.abc import Sequence

from vae_lab.diagnosis.diagnosis import Diagnosis
from vae_lab.diagnosis.elsewhere import ADVICE
from vae_lab.report.commands import retry
from vae_lab.report.table import WIDE, say, show, terminal_width, words_table


def show_diagnosis(found: Diagnosis, arguments: Sequence[str] | None) -> None:
    """Print it. ``arguments`` are those that made the run; None for a training elsewhere."""
    show(words_table(found.checks), terminal_width() or WIDE)
    kind, words, certainty, change = found.cause
    if kind == "none":
        say([words])
        return
    say([f"cause ({certainty}): {words}" if certainty else f"cause: {words}"])
    if arguments is None:
        print(f"try: {ADVICE[kind]}")
    elif change and (again := retry(arguments, change)):
        print(f"try: {again}")
