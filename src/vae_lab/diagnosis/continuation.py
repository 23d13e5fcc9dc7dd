"""What training again by continuation shows of a collapse: does the objective ask for it, or did training fall into it?

A continuation begins where z pays, at a small β or with free bits, and ends with exactly the run's own objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vae_lab.diagnosis.verdict import FULL_MI

Outcome = Literal["trapped", "asked for", "undecided"]
Start = Literal["beta", "free_bits"]

MARGIN = 0.1  # nats of loss per image: less than it is no difference
WORDS = {"beta": "a small β", "free_bits": "free bits"}


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """A run that collapsed, beside its continuations, one per seed. Nats per image; the loss is the run's own.

    Attributes:
        first: what a continuation begins with.
        loss: of the run.
        losses: of the continuations, at their ends.
        verdicts: on them: ``none``, ``partial`` or ``full`` collapse.
        halfway: the largest mutual information of each in its first half, before the run's objective set in.
        change: the overrides that made them of the run.

    Example:
        >>> seeds = {"verdicts": ["none"] * 3, "halfway": [2.0] * 3}
        >>> found = Continuation(first="beta", loss=27.2, losses=[24.1, 24.3, 24.2], **seeds)
        >>> found.outcome, round(found.gain, 2)
        ('trapped', 2.9)
    """

    first: Start
    loss: float
    losses: Sequence[float]
    verdicts: Sequence[str]
    halfway: Sequence[float]
    change: Mapping[str, Any] = field(default_factory=dict)

    @property
    def used(self) -> list[float]:
        """The losses of the continuations that ended with z in use."""
        return [loss for loss, verdict in zip(self.losses, self.verdicts, strict=True) if verdict != "full"]

    @property
    def collapsed(self) -> list[float]:
        """The losses of all that ended collapsed, the run's first."""
        ends = zip(self.losses, self.verdicts, strict=True)
        return [self.loss, *(loss for loss, verdict in ends if verdict == "full")]

    @property
    def gain(self) -> float:
        """How far below the best of the collapsed the worst of the others lies; negative where they overlap."""
        return min(self.collapsed) - max(self.used) if self.used else 0.0

    @property
    def woke(self) -> bool:
        """Whether every continuation used z before the run's own objective set in: else it has shown nothing."""
        return all(information >= FULL_MI for information in self.halfway)

    @property
    def outcome(self) -> Outcome:
        """``trapped``: there is a lower loss with z in use; ``asked for``: z was in use, and was given up again."""
        if self.used and self.gain > MARGIN:
            return "trapped"
        return "asked for" if self.woke and not self.used else "undecided"

    def __str__(self) -> str:
        count = f"{len(self.used)} of {len(self.losses)} seeds"
        listed = ", ".join(f"{loss:.2f}" for loss in self.losses)
        ends = f"from {WORDS[self.first]}, z ends in use in {count}: loss {listed}, the run's {self.loss:.2f}"
        return f"{ends}; {self.why}" if self.outcome == "undecided" else ends

    @property
    def why(self) -> str:
        """Why nothing is decided."""
        if not self.used:
            return "undecided: z was not in use before the run's own objective set in"
        return f"undecided: the losses with z in use do not lie {MARGIN:g} nats below the others"
