"""A run directory as an object, and the runs of a sweep."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vae_lab.diagnosis.causes import Diagnosis, diagnose, evidence_of
from vae_lab.diagnosis.verdict import describe, held_at_floor
from vae_lab.linear_theory.water_filling import water_filling
from vae_lab.runs.directory import SWEEP, read_curves, read_json, runs_of

LINEAR_RATE = "theory/rate"


FLOOR = "floor"  # both the heading and the figure's name


@dataclass(frozen=True)
class Run:
    """A run directory and its ``result.json``."""

    directory: Path
    result: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.result.get("status"))

    @property
    def overrides(self) -> Mapping[str, Any]:
        overrides: Mapping[str, Any] = self.result.get("overrides") or {}
        return overrides

    @property
    def seed(self) -> Any:
        return self.result.get("seed")

    @property
    def collapsed(self) -> bool:
        """Whether the verdict is ``full``."""
        return self.result.get("verdict") == "full"

    @cached_property
    def linear_rate(self) -> float | None:
        """What a linear VAE's rate would be on these data, for a Gaussian likelihood; None for others."""
        if "theory" in self.result:
            return float(sum(self.result["theory"]["rate_dim"]))
        objective = self.result.get("objective") or {}
        if objective.get("likelihood") != "Gaussian" or not objective["spectrum"] or objective["effective_beta"] <= 0:
            return None
        return water_filling(
            np.array(objective["spectrum"]), objective["effective_beta"], self.result["latent_dim"]
        ).rate

    def figure(self, name: str) -> float | None:
        """A figure of the run, None where it has none."""
        if name == LINEAR_RATE:
            return self.linear_rate
        if name == FLOOR:
            return float(self.result.get("rate_floor") or 0) or None
        value = (self.result.get("metrics") or {}).get(name)
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def saturated(self) -> bool:
        """Whether the mutual information lies within a nat of its ceiling: then it is no more than a lower bound."""
        mi, ceiling = self.figure("test/mutual_information"), self.figure("test/mutual_information_ceiling")
        return mi is not None and ceiling is not None and mi > ceiling - 1

    @property
    def held_at_floor(self) -> bool:
        """Whether the rate sits where the method holds it, which says nothing about what z carries."""
        rate = self.figure("test/rate")
        return rate is not None and held_at_floor(rate, float(self.result.get("rate_floor") or 0))

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """The cause of its collapse, None for a run that did not finish."""
        if self.status != "finished" or "objective" not in self.result:
            return None
        return diagnose(evidence_of(self.result, read_curves(self.directory)))

    @property
    def cause(self) -> str:
        """The cause of its collapse in words, empty where there is none."""
        return self.diagnosis.cause.words if self.diagnosis and self.diagnosis.cause.kind != "none" else ""

    @property
    def verdict(self) -> str:
        """The verdict in words, or what else became of the run."""
        if self.status != "finished":
            return self.status
        words = describe(self.result["verdict"], self.result["unused"], self.result["latent_dim"])
        return words + (", held at its floor" if self.held_at_floor else "")

    @property
    def short_verdict(self) -> str:
        """The verdict for a narrow column: ``full``, ``none`` or ``7 of 16 unused``; ``(floor)`` when held there."""
        words = self.verdict.partition(", ")[0]
        kind, _, rest = words.partition(": ")
        return (rest if kind == "partial" else kind) + (" (floor)" if self.held_at_floor else "")


def text(values: Mapping[str, Any], key: str) -> str:
    """The value of ``key`` as a person writes it; ``-`` where it was not set."""
    value = values.get(key, "-")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def read_runs(sweep: Path) -> list[Run]:
    """All runs of a sweep directory that have a readable result."""
    return [Run(directory, result) for directory, result in runs_of(sweep)]


def swept_keys(sweep: Path, runs: Iterable[Run]) -> list[str]:
    """What was swept, seeds last: as ``sweep.json`` says, and whatever else differs between the runs."""
    declared = [str(key) for key in (read_json(sweep / SWEEP) or {}).get("swept", [])]
    runs = list(runs)
    named = dict.fromkeys(key for run in runs for key in run.overrides)
    differing = [key for key in named if len({text(run.overrides, key) for run in runs}) > 1]
    keys = list(dict.fromkeys([*declared, *differing]))
    return sorted(keys, key=lambda key: key == "seed")
