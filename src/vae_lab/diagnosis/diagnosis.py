"""The diagnosis of a run: one cause, and what was looked at."""

from collections.abc import Sequence
from typing import NamedTuple

from vae_lab.diagnosis.causes import Cause, name_cause
from vae_lab.diagnosis.checks import checks
from vae_lab.diagnosis.divergence import name_divergence
from vae_lab.diagnosis.evidence import Evidence


class Diagnosis(NamedTuple):
    """The one cause, and the checks: (what was looked at, its figure in words)."""

    cause: Cause
    checks: Sequence[tuple[str, str]]


def diagnose(evidence: Evidence) -> Diagnosis:
    """Name the one cause that the evidence supports, and say what was looked at.

    Example:
        >>> found = diagnose(Evidence(effective_beta=64.0, distortion_reduction="mean", pixels=64, rate=0.0))
        >>> found.cause.kind, found.cause.certainty, found.cause.change
        ('averaged', 'likely', {'model.distortion_reduction': 'sum'})
    """
    cause = name_cause(evidence) if evidence.diverged_step is None else name_divergence(evidence)
    return Diagnosis(cause, checks(evidence))
