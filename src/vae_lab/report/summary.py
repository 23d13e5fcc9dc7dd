"""The sweep as rows of a file: one per run, and one per setting over its seeds."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vae_lab.runs.run import FLOOR, LINEAR_RATE, Run
from vae_lab.runs.setting import Setting

FIGURES = {
    "ELBO": "test/elbo",
    "KL (rate)": "test/rate",
    "distortion": "test/distortion",
    "MI": "test/mutual_information",
    "prior gap": "test/prior_gap",
    "active units": "test/active_units",
    "shuffle gap": "test/shuffle_gap",
}


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
