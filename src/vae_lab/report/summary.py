"""The sweep as rows of a file: one per run, and one per setting over its seeds."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from vae_lab.report.comparison import NO_MARKS, Marks
from vae_lab.runs.result import Kind
from vae_lab.runs.run import Run
from vae_lab.runs.setting import Setting
from vae_lab.runs.sweep import Skipped

RECORDED = (*("unused", "latent_dim", "rate_floor", "unfinished", "checkpoint", "checkpoint_step", "steps"),)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV; the columns are all keys in the order of their appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def summary_row(run: Run, keys: Sequence[str], marks: Marks = NO_MARKS) -> dict[str, Any]:
    """One run as a row of ``summary.csv``: what was swept, how it ended, and every scalar figure."""
    result = run.result
    return {
        "run": run.name,
        **{key: run.overrides.get(key, "") for key in keys},
        **dict.fromkeys(marks.headings, run.name in marks.names),
        "seed": result.seed,
        "status": run.status,
        "reason": run.reason or run.problem,
        "collapse": run.collapse,
        **{name: getattr(result, name) for name in RECORDED},
        **{name: value for name, value in result.metrics.items() if not isinstance(value, list)},
        "linear_rate": result.linear_rate,
        "effective_beta": result.objective.effective_beta if result.objective else None,
        "cause": run.cause.words if run.cause else "",
        "seconds": result.seconds,
    }


def skipped_row(skipped: Skipped) -> dict[str, Any]:
    """One run that cannot be read as a row of ``summary.csv``."""
    return {"run": skipped.name, "status": "unreadable", "reason": skipped.problem}


def setting_row(setting: Setting) -> dict[str, Any]:
    """One setting as a row of ``settings.csv``: median, least and largest of each figure over its seeds."""
    row: dict[str, Any] = {**setting.values, "seeds": len(setting.runs), "finished": len(setting.finished)}
    row |= {f"collapse_{kind}": sum(run.result.verdict == kind for run in setting.finished) for kind in get_args(Kind)}
    for name in dict.fromkeys(name for run in setting.finished for name in run.result.metrics):
        if spread := setting.spread(name.partition("/")[2]):
            row |= dict(zip((f"{name}/median", f"{name}/min", f"{name}/max"), spread, strict=True))
    return row
