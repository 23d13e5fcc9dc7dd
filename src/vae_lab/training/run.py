"""One run, top to bottom: build -> fit -> test -> result.json."""

import logging
import math
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from vae_lab.callbacks import Checkpoints, Diverged, Divergence, TrainingCurves, still_falling
from vae_lab.checks import ConfigError, one_line
from vae_lab.config.build import build
from vae_lab.diagnosis.verdict import judge
from vae_lab.runs.directory import CHECKPOINTS, RESULT, write_json
from vae_lab.training import loggers
from vae_lab.training.assembly import Parts, assemble
from vae_lab.training.objective import mean_image_distortion, objective, theory
from vae_lab.training.trainer import lengths, make_trainer, quieten, set_threads

log = logging.getLogger(__name__)


def check(config: Mapping[str, Any]) -> None:
    """Build everything and throw it away: what passes here can start.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    assemble(config)
    make_trainer(config, logger=False, enable_progress_bar=False)


def execute(
    config: Mapping[str, Any],
    directory: Path,
    overrides: Mapping[str, Any],
    progress: Callback | None = None,
    name: str = "run",
    group: str = "",
) -> dict[str, Any]:
    """Train and test one model, and keep ``result.json`` true at each stage, whatever happens.

    Args:
        config: the whole config as plain data.
        directory: the run directory.
        overrides: what was set for this run, by key.
        progress: the progress bar, if any.
        name: what loggers call the run.
        group: what loggers call the sweep it belongs to.

    Returns:
        The content of ``result.json``: of a run that finished or diverged.

    Raises:
        ConfigError: for whatever in the config does not fit.
        Exception: whatever else broke; recorded as ``failed`` before it goes on.
    """
    quieten()
    torch.set_float32_matmul_precision("highest")
    directory.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    record: dict[str, Any] = {
        "status": "running",
        "reason": None,
        "overrides": dict(overrides),
        "seed": config["seed"],
        "metrics": {},
        "versions": versions(),
        "started": now(),
        "ended": None,
    }
    write_json(directory / RESULT, record)
    opened: list[Any] = []
    try:
        parts = assemble(config)
        opened.append(loggers.CSV(directory))
        for key, node in (config["logger"] or {}).items():
            extra = {"directory": directory, "name": name, "group": group, "config": config}
            opened.append(build(node, f"logger.{key}", Logger, **extra))
        record |= train_and_test(config, directory, parts, opened, progress)
        record["status"] = "finished"
    except Diverged as error:
        record |= {"status": "diverged", "reason": str(error), "diverged_step": error.step}
        log.warning("diverged: %s", error)
    except BaseException as error:
        record |= {"status": "failed", "reason": str(error) if isinstance(error, ConfigError) else one_line(error)}
        log.exception("failed")
        raise
    finally:
        record |= {"seconds": round(time.perf_counter() - began, 3), "ended": now()}
        write_json(directory / RESULT, record)
        loggers.close(opened, directory, record)
    return record


def train_and_test(
    config: Mapping[str, Any], directory: Path, parts: Parts, opened: list[Any], progress: Callback | None
) -> dict[str, Any]:
    """Fit, take the best checkpoint, test it; returns the entries of ``result.json`` that come from it."""
    data, model = parts.data, parts.model
    set_threads(config, data)
    recipe = {"config": dict(config), "image_shape": list(data.image_shape)}
    checkpoints = Checkpoints(directory / CHECKPOINTS, parts.end, recipe)
    watchers = [TrainingCurves(), Divergence(), checkpoints, *([progress] if progress else [])]
    trainer = make_trainer(
        {**config, "trainer": config["trainer"] | lengths(config, data)},
        callbacks=[*parts.remedies, parts.evaluation, *watchers],
        logger=opened,
        enable_progress_bar=progress is not None,
        default_root_dir=str(directory),
    )
    trainer.fit(model, datamodule=data)

    steps, best = trainer.global_step, checkpoints.best_step
    chosen, chosen_step = ("last.ckpt", steps) if best is None else ("best.ckpt", best)
    state = torch.load(checkpoints.directory / chosen, weights_only=True)["state_dict"]
    model.load_state_dict(state)
    trainer.test(model, datamodule=data, verbose=False)

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
        "objective": objective(parts.end, model, data),
        **theory(model, data),
        "unfinished": still_falling(checkpoints.history, steps),
        "checkpoint": f"{chosen} at step {chosen_step}",
        "steps": steps,
        "batch_size": data.batch_size,
        "importance_samples": (config["metrics"]["test"].get("nll") or {}).get("k", 0),
    }


VERDICT_FIGURES = ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se", "mutual_information")


def now() -> str:
    """The present time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def versions() -> dict[str, str]:
    """Versions of what figures depend on."""
    packages = ("vae_lab", "torch", "torchvision", "lightning", "torchmetrics", "hydra-core")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}
