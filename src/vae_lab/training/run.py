"""One run, top to bottom: build -> fit -> test -> result.json."""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from vae_lab.callbacks import Diverged
from vae_lab.checks import ConfigError, Interrupted, one_line
from vae_lab.endings import heeding
from vae_lab.runs.curves import last_step
from vae_lab.runs.lock import holding
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.runs.process import Process
from vae_lab.runs.result import Result
from vae_lab.training.assembly import Parts, assemble
from vae_lab.training.coefficients import late_schedules
from vae_lab.training.fitting import Session, prepare, train_and_test
from vae_lab.training.loggers.opening import check_loggers, close_loggers, open_loggers
from vae_lab.training.record import now, objective_of, versions
from vae_lab.training.resume import Start, find_start, make_ready
from vae_lab.training.trainer import make_trainer

log = logging.getLogger(__name__)

FORESEEN = (ConfigError, Interrupted, OSError)  # no traceback says more than their line
HALF_WRITTEN = "new*.ckpt"  # as ``Checkpoints`` calls what it has not finished writing


def check(config: Mapping[str, Any]) -> list[str]:
    """Build everything and throw it away: what passes here can start. Returns what a person should know before.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    parts = assemble(config)
    check_trainer(json.dumps(config["trainer"]), torch.accelerator.device_count())
    check_loggers(config)
    return late_schedules(config, parts.data)


@lru_cache
def check_trainer(node: str, seen: int) -> None:
    """Build a trainer and throw it away; once for the runs that share it, as Lightning reads all packages' names.

    Args:
        node: its settings, as JSON.
        seen: how many accelerators this process sees, on which the answer rests as well.

    Raises:
        ConfigError: for whatever it refuses.
    """
    make_trainer({"trainer": json.loads(node)}, logger=False, enable_progress_bar=False)


def execute(
    config: Mapping[str, Any],
    directory: Path,
    overrides: Mapping[str, Any],
    progress: Callback | None = None,
    name: str = "run",
    group: str = "",
    announce: Callable[[str], None] = log.warning,
) -> Result:
    """Train and test one model, and keep ``result.json`` true at each stage, whatever happens.

    What the directory holds of this run already is not done again: a run that has ended gives its result, one that has
    stopped goes on from its last checkpoint as if it never had. A longer ``trainer.max_steps`` lets it go on, too.

    Args:
        config: the whole config as plain data.
        directory: the run directory.
        overrides: what was set for this run, by key.
        progress: the progress bar, if any.
        name: what loggers call the run.
        group: what loggers call the sweep it belongs to.
        announce: takes what a person should know before training starts, a line each.

    Returns:
        The result of a run that finished or diverged.

    Raises:
        ConfigError: for whatever in the config does not fit, and for a directory that holds another run.
        InUse: when another process is at it.
        Exception: whatever else broke; recorded as ``failed`` before it goes on.
    """
    prepare()
    directory.mkdir(parents=True, exist_ok=True)
    with holding(directory):
        start = find_start(directory, config)
        if start.result:
            return start.result
        make_ready(directory, start)
        return carry_out(config, directory, overrides, progress, name, group, announce, start)


def carry_out(
    config: Mapping[str, Any],
    directory: Path,
    overrides: Mapping[str, Any],
    progress: Callback | None,
    name: str,
    group: str,
    announce: Callable[[str], None],
    start: Start,
) -> Result:
    """What ``execute`` does in a directory that is its own."""
    began = time.perf_counter() - start.seconds
    result = running(config, overrides)
    result.write(directory)
    opened: list[Logger] = []
    try:
        parts = assemble(config)
        for line in late_schedules(config, parts.data):
            announce(line)
        open_loggers(config, directory, name, group, opened)
        session = Session(directory, start, lambda: time.perf_counter() - began)
        with heeding():  # Lightning makes a SystemExit of SIGTERM
            figures = train_and_test(config, session, parts, opened, progress)
        result = replace(result, status="finished", **figures)
    except Diverged as error:
        result = diverged(result, error, parts)
        log.warning("diverged: %s", error)
    except BaseException as error:
        result = replace(result, status="failed", reason=reason_of(error, directory))
        log.error("failed: %s", result.reason, exc_info=not isinstance(error, FORESEEN))
        make_room(directory)
        raise
    finally:
        result = replace(result, seconds=round(time.perf_counter() - began, 3), ended=now())
        try:
            keep(result, directory)
        finally:
            close_loggers(opened, directory, result)
    return result


def running(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> Result:
    """The record of a run that begins, or goes on, in this process."""
    seed, written, me = seed_of(config), dict(overrides), Process.this()
    return Result(status="running", overrides=written, seed=seed, versions=versions(), started=now(), process=me)


def diverged(result: Result, error: Diverged, parts: Parts) -> Result:
    """The record of a run that ended so."""
    ended = replace(result, status="diverged", reason=str(error), diverged_step=error.step)
    return replace(ended, objective=objective_of(parts))


def seed_of(config: Mapping[str, Any]) -> int:
    """The seed as the record has it, 0 where it is no whole number: ``assemble`` will say so."""
    seed = config.get("seed")
    return seed if isinstance(seed, int) else 0


def reason_of(error: BaseException, directory: Path) -> str:
    """Why a run failed, in one line."""
    if isinstance(error, Interrupted):
        return f"interrupted {error} at step {last_step(directory)}"
    words = str(error) if isinstance(error, ConfigError) else one_line(error)
    return words.replace(f"{directory}{os.sep}", "")


def make_room(directory: Path) -> None:
    """Remove the checkpoint that a full disk cut off, so that the record finds room."""
    for half in directory.glob(f"{CHECKPOINTS}/{HALF_WRITTEN}"):
        with suppress(OSError):
            half.unlink()


def keep(result: Result, directory: Path) -> None:
    """Write the record. Where that is impossible, what happened before counts: the log has a line, nothing is raised.

    Raises:
        OSError: for a run that finished, whose figures would be lost.
    """
    try:
        result.write(directory)
    except OSError as error:
        if result.status == "finished":
            raise
        log.warning("the record cannot be written: %s", one_line(error))
