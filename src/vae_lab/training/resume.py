"""Going on where a run has stopped: from which checkpoint, and whether it is the same run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_lab.callbacks.checkpoints import LAST, PREVIOUS
from vae_lab.checks import ArgumentError
from vae_lab.config.changes import check_same_run, is_longer
from vae_lab.runs.curves import CurveFile
from vae_lab.runs.names import CHECKPOINTS, CURVES, RESULT
from vae_lab.runs.records import write_record
from vae_lab.runs.result import Result
from vae_lab.runs.state import ENDED, check_plain
from vae_lab.training.loading import read_checkpoint

NEEDED = ("global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers")  # to go on from a checkpoint


@dataclass(frozen=True)
class Start:
    """Where a run begins: at its first step, or with the step after its ``checkpoint``."""

    checkpoint: Path | None = None
    step: int = 0
    seconds: float = 0.0  # that it has taken before
    result: Result | None = None  # where nothing is left to do: it has ended


def find_start(directory: Path, config: Mapping[str, Any]) -> Start:
    """Where the run of this config begins in a directory, which may hold a part of it, or all.

    Raises:
        ConfigError: when the directory holds a run of another config, or links.
        RecordError: when its record cannot be read.
    """
    check_plain(directory)
    before = Result.read(directory) if (directory / RESULT).exists() else None
    for name in (LAST, PREVIOUS):
        file = directory / CHECKPOINTS / name
        if content := readable(file):
            recipe = content["vae_lab"]
            check_same_run(recipe["config"], config)
            if before and before.status in ENDED and not goes_on(before, recipe["config"], config):
                return Start(result=before)
            spent = max(recipe.get("seconds", 0.0), (before.seconds or 0.0) if before else 0.0)
            return Start(file, content["global_step"], spent)
    return Start(result=before if before and before.status in ENDED else None)


def goes_on(before: Result, recorded: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether a run that has ended has more steps now than it had."""
    return before.status == "finished" and is_longer(recorded, config)


def readable(file: Path) -> dict[str, Any] | None:
    """What a checkpoint holds, None where it is not there; one that cannot be read is said and passed over."""
    if not file.exists():
        return None
    try:
        content = read_checkpoint(file)
        if missing := [name for name in NEEDED if name not in content]:
            raise ArgumentError("path", file, f"lacks {', '.join(missing)}")
    except ArgumentError as error:
        instead = "the one before is taken" if file.name == LAST else "the run begins anew"
        print(f"note: {file}: {error.allowed}; {instead}", flush=True)
        return None
    return content


def make_ready(directory: Path, start: Start) -> None:
    """Bring a directory to the step at which its run begins: no curve reaches beyond it, no finished figure is lost."""
    if start.checkpoint:
        CurveFile(directory).cut(start.step - 1)
    else:
        (directory / CURVES).unlink(missing_ok=True)
    if (directory / RESULT).exists() and (before := Result.read(directory)).status in ENDED:
        write_record(directory / f"result_at_{before.steps}.json", before)
