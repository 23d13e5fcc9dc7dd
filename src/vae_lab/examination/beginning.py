"""When a collapse begins: from the measurements of a training to words, once. Figures in, words out."""

from collections.abc import Sequence
from dataclasses import dataclass

from vae_lab.diagnosis.verdict import judge

AGAIN = 2  # measurements in a row without z in use, after it was
NOTHING = 0.05  # nats: z carries less than its KL; what gap is left below is what the decoder has not yet unlearnt
NEVER = 5  # and where it never was: each training begins like that


@dataclass(frozen=True)
class Measurement:
    """What was measured at a step of a training; nats per example.

    Example:
        >>> Measurement(100, rate=3.2, gap=5.1, gap_se=0.2, mutual_information=2.9).used
        True
    """

    step: int
    rate: float
    gap: float
    gap_se: float
    mutual_information: float

    @property
    def cost(self) -> str:
        """The gap in words, with its standard error."""
        return f"{self.gap + 0:.2f} ± {self.gap_se:.2f} nats"

    @property
    def used(self) -> bool:
        """Whether z carries anything, and the decoder uses it by the rule of the verdict."""
        return self.rate >= NOTHING and judge(self.gap, self.gap_se, [], [], self.mutual_information).kind != "full"


def warning(history: Sequence[Measurement]) -> str:
    """What to say after the last measurement, empty while there is nothing.

    Example:
        >>> known = {"gap_se": 0.01, "mutual_information": 0.0}
        >>> used = Measurement(100, 3.2, 5.1, 0.01, 2.9)
        >>> print(warning([used, Measurement(200, 0.01, 0.0, **known), Measurement(300, 0.01, 0.0, **known)]))
        the posterior collapses from step 200 on: shuffling z between examples costs 0.00 ± 0.01 nats, which was
        5.10 at step 100; the KL is 0.01 nats
    """
    idle = 0
    while idle < len(history) and not history[-1 - idle].used:
        idle += 1
    before = history[: len(history) - idle]
    if not idle or idle < (AGAIN if before else NEVER):
        return ""
    last = history[-1]
    if not before:
        return (
            f"the posterior has been collapsed from the start, up to step {last.step}: shuffling z between examples "
            f"costs {last.cost}; the KL is {last.rate:.2f} nats"
        )
    best = max(before, key=lambda measured: measured.gap)
    return (
        f"the posterior collapses from step {history[-idle].step} on: shuffling z between examples costs "
        f"{last.cost}, which was {best.gap:.2f} at step {best.step}; the KL is {last.rate:.2f} nats"
    )
