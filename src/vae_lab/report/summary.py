"""The sweep as rows: one per run, and one per setting over its seeds."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from vae_lab.diagnosis import Diagnosis, diagnose, evidence_of
from vae_lab.results import SWEEP, read_curves, read_json, runs_of
from vae_lab.spectrum import water_filling
from vae_lab.verdict import describe, held_at_floor

FIGURES = {
    "ELBO": "test/elbo",
    "KL (rate)": "test/rate",
    "distortion": "test/distortion",
    "MI": "test/mutual_information",
    "prior gap": "test/prior_gap",
    "active units": "test/active_units",
    "shuffle gap": "test/shuffle_gap",
}


LINEAR_RATE = "theory/rate"
FLOOR = "floor"  # both the heading and the figure's name


def figures_of(runs: Iterable["Run"]) -> dict[str, str]:
    """The figures of a table by heading.

    Where methods hold the rate at a floor or target, that stands beside the rate; where likelihoods are Gaussian, the
    linear prediction of the rate comes last.
    """
    runs = list(runs)
    floor = {FLOOR: FLOOR} if any(run.figure(FLOOR) for run in runs) else {}
    linear = {"linear KL": LINEAR_RATE} if any(run.linear_rate is not None for run in runs) else {}
    first, *rest = FIGURES.items()
    return dict([first, *rest[:1]]) | floor | dict(rest[1:]) | linear


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


@dataclass(frozen=True)
class Setting:
    """The runs of one setting, which differ in their seed only."""

    values: Mapping[str, Any]
    runs: Sequence[Run]

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.status == "finished"]

    def figures(self, name: str) -> list[float]:
        """The figure of each finished run that has it."""
        return [value for run in self.finished if (value := run.figure(name)) is not None]

    def spread(self, name: str) -> tuple[float, float, float] | None:
        """(median, least, largest) over the seeds, None where no run has the figure."""
        found = self.figures(name)
        return (median(found), min(found), max(found)) if found else None

    @property
    def cause(self) -> str:
        """The cause on which all seeds agree, empty where there is none."""
        kinds = {run.diagnosis.cause.kind for run in self.finished if run.diagnosis}
        return self.finished[0].cause if len(kinds) == 1 else ""

    @property
    def in_use(self) -> str:
        """Median, least and largest number of dimensions that the decoder uses."""
        used = sorted(run.result["latent_dim"] - run.result["unused"] for run in self.finished)
        return f"{median(used):g} [{used[0]}, {used[-1]}]" if used else "-"

    @property
    def verdicts(self) -> str:
        """How many seeds ended how: ``2 full, 1 partial``."""
        ends = [str(run.result["verdict"]) if run.status == "finished" else run.status for run in self.runs]
        return ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(sorted(ends)))


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


def settings_of(runs: Iterable[Run], keys: Sequence[str]) -> list[Setting]:
    """Group runs by what was swept but the seed, in the order of their appearance."""
    grouped: dict[tuple[str, ...], list[Run]] = {}
    names = [key for key in keys if key != "seed"]
    for run in runs:
        grouped.setdefault(tuple(text(run.overrides, key) for key in names), []).append(run)
    return [Setting({key: group[0].overrides.get(key, "-") for key in names}, group) for group in grouped.values()]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV; the columns are all keys in the order of their appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def summary_row(run: Run, keys: Sequence[str]) -> dict[str, Any]:
    """One run as a row of ``summary.csv``: what was swept, how it ended, and every scalar figure."""
    metrics = run.result.get("metrics") or {}
    about = ("status", "reason", "verdict", "unused", "latent_dim", "rate_floor", "unfinished", "checkpoint", "steps")
    return {
        "run": run.directory.name,
        **{key: run.overrides.get(key, "") for key in keys},
        "seed": run.seed,
        **{name: run.result.get(name, "") for name in about},
        **{name: value for name, value in metrics.items() if not isinstance(value, list)},
        LINEAR_RATE: run.linear_rate if run.linear_rate is not None else "",
        "effective_beta": (run.result.get("objective") or {}).get("effective_beta", ""),
        "cause": run.cause,
        "seconds": run.result.get("seconds", ""),
    }


def setting_row(setting: Setting) -> dict[str, Any]:
    """One setting as a row of ``settings.csv``: median, least and largest of each figure over its seeds."""
    row: dict[str, Any] = {**setting.values, "seeds": len(setting.runs), "finished": len(setting.finished)}
    row |= {f"verdict_{kind}": sum(r.result.get("verdict") == kind for r in setting.finished) for kind in VERDICTS}
    for name in dict.fromkeys(name for run in setting.finished for name in run.result["metrics"]):
        if spread := setting.spread(name):
            row |= dict(zip((f"{name}/median", f"{name}/min", f"{name}/max"), spread, strict=True))
    return row


VERDICTS = ("none", "partial", "full")
