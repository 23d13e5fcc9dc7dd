"""One run, top to bottom: build -> fit -> test -> result.json."""

import logging
import math
import platform
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger

from vae_lab import loggers
from vae_lab.assembly import Parts, assemble
from vae_lab.build import build, naming
from vae_lab.callbacks import Checkpoints, Diverged, Divergence, still_falling
from vae_lab.checks import ConfigError, integer, one_line
from vae_lab.data import ImageData
from vae_lab.evidence import mean_image_distortion, objective, theory
from vae_lab.results import CHECKPOINTS, RESULT, write_json
from vae_lab.verdict import judge

log = logging.getLogger(__name__)

RESERVED = {
    *("accumulate_grad_batches", "callbacks", "check_val_every_n_epoch", "default_root_dir", "enable_checkpointing"),
    *("enable_model_summary", "enable_progress_bar", "fast_dev_run", "limit_test_batches", "limit_train_batches"),
    *("limit_val_batches", "logger", "max_epochs", "max_time", "min_epochs", "min_steps", "num_nodes"),
    *("num_sanity_val_steps", "overfit_batches", "use_distributed_sampler"),
}


def lengths(config: Mapping[str, Any], data: ImageData) -> dict[str, int]:
    """The trainer's lengths in steps: as they are, or as many steps as ``epochs`` whole passes take."""
    if config["epochs"] is None:
        return {}
    steps = config["epochs"] * data.batches_per_epoch
    return {"max_steps": steps, "val_check_interval": max(steps // 10, 1)}


def make_trainer(config: Mapping[str, Any], **extra: Any) -> Trainer:
    """Build the Lightning trainer; lengths are in steps, files and logs are ours.

    Raises:
        ConfigError: when Lightning refuses an argument.
    """
    node = dict(config["trainer"])
    with naming("trainer"):
        for name in RESERVED & node.keys():
            raise ValueError(f"{name}={node[name]}: is not supported: vae_lab sets it, or counts in plain steps")
        if str(node.get("devices", 1)) != "1":
            raise ValueError(f"devices={node['devices']}: must be 1: one run on several devices is not supported yet")
        for name in ("max_steps", "val_check_interval", "log_every_n_steps"):
            integer(name, node.get(name))
    fixed = {"max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
    quiet = {"enable_checkpointing": False, "enable_model_summary": False, "use_distributed_sampler": False}
    try:
        trainer: Trainer = build(node, "trainer", Trainer, **fixed, **quiet, **extra)
    except ConfigError:
        raise
    except Exception as error:  # Lightning's MisconfigurationException and those of its accelerators
        raise ConfigError(f"trainer: {one_line(error)}") from error
    return trainer


TORCH_THREADS = torch.get_num_threads()  # torch's own choice, before any run changed it
FEW_PIXELS = 256


def set_threads(config: Mapping[str, Any], data: ImageData) -> None:
    """Set the CPU threads of torch: as ``threads`` says, or one where images are so small that more only wait."""
    small = math.prod(data.image_shape) < FEW_PIXELS
    torch.set_num_threads(config["threads"] or (1 if small else TORCH_THREADS))


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
    watchers = [Divergence(), checkpoints, *([progress] if progress else [])]
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
        "importance_samples": parts.evaluation.k,
    }


VERDICT_FIGURES = ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se", "mutual_information")


def quieten() -> None:
    """Send what Lightning and warnings say to the run's log file, not to the screen."""
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def now() -> str:
    """The present time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def versions() -> dict[str, str]:
    """Versions of what figures depend on."""
    packages = ("vae_lab", "torch", "torchvision", "lightning", "torchmetrics", "hydra-core")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}
