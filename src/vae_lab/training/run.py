"""One run, top to bottom: build -> fit -> test -> result.json."""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from vae_lab.callbacks import Checkpoints, Diverged, Interruption, NonFiniteLoss, TrainingCurves, still_falling
from vae_lab.callbacks.checkpoints import BEST, LAST
from vae_lab.checks import ConfigError, Interrupted, one_line
from vae_lab.diagnosis.verdict import judge
from vae_lab.endings import heeding
from vae_lab.networks.batch_norm import share_batch_norms
from vae_lab.runs.curves import last_step
from vae_lab.runs.lock import holding
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.runs.process import Process
from vae_lab.runs.result import Result
from vae_lab.training.assembly import Parts, assemble
from vae_lab.training.coefficients import late_schedules
from vae_lab.training.compiling import compile_mode, compile_training
from vae_lab.training.loading import recipe_of
from vae_lab.training.loggers.opening import check_loggers, close_loggers, open_loggers
from vae_lab.training.objective import mean_image_distortion
from vae_lab.training.ranks import company
from vae_lab.training.record import now, objective_of, theory_of, versions
from vae_lab.training.resume import Start, find_start, make_ready
from vae_lab.training.strategy import OwnSignals, has_idle_parameters
from vae_lab.training.trainer import device_count, forget_gpus, lengths, make_trainer, quieten, set_threads

log = logging.getLogger(__name__)

FORESEEN = (ConfigError, Interrupted, OSError)  # no traceback says more than their line
HALF_WRITTEN = "new*.ckpt"  # as ``Checkpoints`` calls what it has not finished writing
FEW = 4  # images to try a model on
VERDICT_FIGURES = ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se", "mutual_information")


@dataclass(frozen=True)
class Session:
    """One process' part of a run: where it writes, where it began, and the seconds that the run has taken so far."""

    directory: Path
    start: Start
    clock: Callable[[], float]


class Trained(NamedTuple):
    """How a training ended: its length, which checkpoint was tested, and the validations that chose it."""

    steps: int
    checkpoint: str
    checkpoint_step: int
    history: Sequence[tuple[int, float]]  # (step, validation loss)


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


def prepare() -> None:
    """Bring this process into the state in which every run begins."""
    quieten()
    forget_gpus()
    torch.set_float32_matmul_precision("highest")


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


def train_and_test(
    config: Mapping[str, Any], session: Session, parts: Parts, opened: list[Logger], progress: Callback | None
) -> dict[str, Any]:
    """Fit, take the best checkpoint, test it; returns the fields of the result that come from it."""
    checkpoint = session.start.checkpoint
    with company(config, session.directory, device_count(config), checkpoint=checkpoint and str(checkpoint)):
        trained = fit_and_test(config, session, parts, opened, progress)
    return {
        "checkpoint": trained.checkpoint,
        "checkpoint_step": trained.checkpoint_step,
        "steps": trained.steps,
        "importance_samples": (config["metrics"]["test"].get("nll") or {}).get("k", 0),
        "unfinished": still_falling(trained.history, trained.steps),
        **tested(trained.steps, parts),
    }


def fit_and_test(
    config: Mapping[str, Any],
    session: Session,
    parts: Parts,
    opened: Sequence[Logger] = (),
    progress: Callback | None = None,
    rank: int = 0,
) -> Trained:
    """What all ranks of a run do together: fit the model, and test it with the weights of the best checkpoint."""
    set_threads(config, parts.data)
    recipe, folder = recipe_of(config, parts.data.image_shape), session.directory / CHECKPOINTS
    checkpoints = Checkpoints(folder, parts.end, recipe, session.clock)
    optional = [callback for callback in (parts.figures, progress) if callback and rank == 0]
    watchers = [Interruption(), TrainingCurves(), NonFiniteLoss(), checkpoints, *optional]
    some_idle = False
    if device_count(config) > 1:
        watchers.append(OwnSignals())
        share_batch_norms(parts.model)
        some_idle = any(remedy.freezes for remedy in parts.remedies) or has_idle_parameters(
            parts.model, parts.data.training_sample(FEW)
        )
    trainer = make_trainer(
        {**config, "trainer": config["trainer"] | lengths(config, parts.data)},
        rank,
        some_idle,
        callbacks=[*parts.remedies, parts.evaluation, *watchers],
        logger=list(opened),
        enable_progress_bar=progress is not None,
        default_root_dir=str(session.directory),
    )
    trainer.precision_plugin.convert_module(parts.model)  # before a checkpoint of doubles would be rounded into it
    if mode := compile_mode(config["trainer"]):
        compile_training(parts.model, mode)
    trainer.fit(parts.model, datamodule=parts.data, ckpt_path=session.start.checkpoint, weights_only=True)
    name = LAST if checkpoints.best_step is None else BEST
    content = torch.load(folder / name, map_location=parts.model.device, weights_only=True)
    parts.model.load_state_dict(content["state_dict"])
    trainer.test(parts.model, datamodule=parts.data, verbose=False)
    return Trained(trainer.global_step, name, content["global_step"], checkpoints.history)


def tested(steps: int, parts: Parts) -> dict[str, Any]:
    """The fields of the result that describe the model which was tested after so many steps.

    Raises:
        Diverged: when its ELBO is not finite.
    """
    data, model = parts.data, parts.model
    figures = dict(parts.evaluation.figures)
    if not math.isfinite(float(figures["test/elbo"])):  # type: ignore[arg-type]
        raise Diverged(steps)
    figures["test/distortion_mean_image"] = mean_image_distortion(model, data)
    verdict = judge(*(figures[f"test/{name}"] for name in VERDICT_FIGURES))  # type: ignore[arg-type]
    return {
        "metrics": figures,
        "verdict": verdict.kind,
        "unused": verdict.unused,
        "latent_dim": model.latent_dim,
        "rate_floor": model.rate_floor(),
        "batch_size": data.batch_size,
        **theory_of(parts),
    }
