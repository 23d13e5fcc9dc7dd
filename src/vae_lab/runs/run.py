"""A run directory as an object."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vae_lab.diagnosis.causes import Cause
from vae_lab.diagnosis.diagnosis import Diagnosis, diagnose
from vae_lab.diagnosis.verdict import describe, held_at_floor
from vae_lab.runs.curves import read_curves
from vae_lab.runs.evidence import evidence_of
from vae_lab.runs.result import Result

NEAR_CEILING = 1.0  # nats: a mutual information nearer to log N is no more than a lower bound


@dataclass(frozen=True)
class Run:
    """A run directory and its ``result.json``.

    Example:
        >>> result = Result(status="finished", seed=0, verdict="full", latent_dim=4, unused=4)
        >>> run = Run(Path("multirun/sweep/model.beta=4"), result)
        >>> run.name, run.collapsed, run.collapse
        ('model.beta=4', True, 'full')
    """

    directory: Path
    result: Result

    @classmethod
    def read(cls, directory: Path) -> "Run":
        """The run in a directory.

        Raises:
            RecordError: when its result is missing, broken, or of another format.
        """
        return cls(directory, Result.read(directory))

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def overrides(self) -> Mapping[str, Any]:
        return self.result.overrides

    @property
    def finished(self) -> bool:
        return self.result.status == "finished"

    @property
    def collapsed(self) -> bool:
        """Whether the verdict is ``full``."""
        return self.result.verdict == "full"

    def figure(self, name: str) -> float | None:
        """A figure of its test split, ``rate_floor`` or ``linear_rate``; None where it has none."""
        if name == "rate_floor":
            return self.result.rate_floor or None
        return self.result.linear_rate if name == "linear_rate" else self.result.figure(name)

    @property
    def saturated(self) -> bool:
        """Whether the mutual information lies within a nat of its ceiling: then it is no more than a lower bound."""
        mi, ceiling = self.figure("mutual_information"), self.figure("mutual_information_ceiling")
        return mi is not None and ceiling is not None and mi > ceiling - NEAR_CEILING

    @property
    def held_at_floor(self) -> bool:
        """Whether the rate sits where the method holds it, which says nothing about what z carries."""
        rate = self.figure("rate")
        return rate is not None and held_at_floor(rate, self.result.rate_floor)

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis of a run that finished or diverged, None for others."""
        if self.result.status not in ("finished", "diverged") or self.result.objective is None:
            return None
        return diagnose(evidence_of(self.result, self.result.objective, read_curves(self.directory)))

    @property
    def cause(self) -> Cause | None:
        """The cause of its collapse, or of its divergence; None where it did not collapse."""
        return self.diagnosis.cause if self.diagnosis and self.diagnosis.cause.kind != "none" else None

    @property
    def collapse(self) -> str:
        """How much of z is unused, ``none``, ``2 of 8 unused`` or ``full``; or what else became of the run."""
        if self.result.verdict is None or not self.finished:
            return self.result.status
        words = describe(self.result.verdict, self.result.unused, self.result.latent_dim)
        return words + (", held at its floor" if self.held_at_floor else "")


def text(values: Mapping[str, Any], key: str) -> str:
    """The value of ``key`` as a person writes it; ``-`` where it was not set.

    Example:
        >>> text({"epochs": None, "encoder.diagonal": True}, "epochs")
        'null'
        >>> text({}, "model.beta")
        '-'
    """
    value = values.get(key, "-")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
