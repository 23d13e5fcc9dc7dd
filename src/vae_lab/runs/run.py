"""A run directory as an object."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vae_lab.checks import printable
from vae_lab.diagnosis.causes import Cause
from vae_lab.diagnosis.diagnosis import Diagnosis, diagnose
from vae_lab.diagnosis.verdict import describe, held_at_floor
from vae_lab.runs.curves import Curve, last_step, read_curves
from vae_lab.runs.evidence import evidence_of
from vae_lab.runs.names import CURVES
from vae_lab.runs.probe import Probe, probe_of
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result

STOPPED = "stopped"  # the status of a run whose record says running, but whose process has gone

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
            RecordError: when its result is missing, broken, of another format, or lacks what it must have.
        """
        result = Result.read(directory)
        result.check()
        return cls(directory, result)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def overrides(self) -> Mapping[str, Any]:
        return self.result.overrides

    @property
    def finished(self) -> bool:
        return self.result.status == "finished"

    @cached_property
    def status(self) -> str:
        """What became of it: as its record says, or ``stopped`` where its process has gone without a word."""
        return STOPPED if self.result.stopped else self.result.status

    @property
    def reason(self) -> str:
        """Why it did not finish, or how far it has come; empty for a finished one."""
        if self.status == STOPPED:
            return f"stopped at step {last_step(self.directory)}"
        if self.status == "running":
            return f"at step {last_step(self.directory)}"
        return self.result.reason or ""

    @property
    def ending(self) -> str:
        """How it ended, or how far it is, in one line: ``failed: RuntimeError: ...``."""
        return self.reason if self.status == STOPPED else f"{self.status}: {self.reason}".rstrip(": ")

    @cached_property
    def curves(self) -> Mapping[str, Curve]:
        """Its curves by name.

        Raises:
            RecordError: when they cannot be read, or end before the run did.
        """
        curves = read_curves(self.directory)
        end = max((curve.steps[-1] + 1 for name, curve in curves.items() if name.startswith("val/")), default=None)
        if self.finished and end is not None and end < self.result.steps:
            raise RecordError(f"{CURVES} is cut off: it ends at step {end} of {self.result.steps}")
        return curves

    @cached_property
    def probe(self) -> Probe | None:
        """What training it again by continuation has shown; None where nobody has.

        Raises:
            RecordError: when its record cannot be read.
        """
        return probe_of(self.directory, self.result.steps)

    @cached_property
    def problem(self) -> str:
        """What is wrong with its curves or its probe, empty where nothing is."""
        try:
            _ = self.curves, self.probe
        except RecordError as error:
            return str(error)
        return ""

    @property
    def collapsed(self) -> bool:
        """Whether the verdict is ``full``."""
        return self.result.verdict == "full"

    def figure(self, name: str) -> float | None:
        """A figure of its test split, ``rate_floor`` or ``linear_rate``; None where it has none."""
        if name == "rate_floor":
            return self.result.rate_floor or None
        if name == "bits_per_dim":
            return self.bits_per_dim
        return self.result.linear_rate if name == "linear_rate" else self.result.figure(name)

    @property
    def bits_per_dim(self) -> float | None:
        """The negative ELBO in bits per pixel and channel, where its likelihood gives probability masses."""
        objective, elbo = self.result.objective, self.result.figure("elbo")
        if objective is None or objective.scores != "mass" or elbo is None:
            return self.result.figure("bits_per_dim")
        return -elbo / (objective.pixels * math.log(2))

    def bracket(self, name: str) -> tuple[float, float] | None:
        """The bounds of ``mutual_information`` or ``prior_gap``, where the first is saturated and has an upper one."""
        mi, rate, upper = (self.figure(n) for n in ("mutual_information", "rate", "mutual_information_upper"))
        if not self.saturated or mi is None or rate is None or upper is None or upper < mi:
            return None
        bounds = {"mutual_information": (mi, upper), "prior_gap": (max(rate - upper, 0.0), max(rate - mi, 0.0))}
        return bounds.get(name)

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
        """The diagnosis of a run that finished or diverged; None for others and where the curves cannot be read."""
        diagnosed = self.result.status in ("finished", "diverged") and not self.problem
        if not diagnosed or self.result.objective is None:
            return None
        continuation = self.probe.continuation if self.probe else None
        return diagnose(evidence_of(self.result, self.result.objective, self.curves, continuation))

    @property
    def cause(self) -> Cause | None:
        """The cause of its collapse, or of its divergence; None where it did not collapse."""
        return self.diagnosis.cause if self.diagnosis and self.diagnosis.cause.kind != "none" else None

    @property
    def collapse(self) -> str:
        """How much of z is unused, ``none``, ``2 of 8 unused`` or ``full``; or what else became of the run."""
        if self.result.verdict is None or not self.finished:
            return self.status
        words = describe(self.result.verdict, self.result.unused, self.result.latent_dim)
        return words + (", held at its floor" if self.held_at_floor else "")


def text(values: Mapping[str, Any], key: str) -> str:
    """The value of ``key`` as a person writes it; ``-`` where it was not set. Control characters are escaped.

    Example:
        >>> text({"epochs": None, "encoder.diagonal": True}, "epochs")
        'null'
        >>> text({}, "model.beta")
        '-'
    """
    value = values.get(key, "-")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else printable(str(value))
