"""The Lightning trainer of a run: lengths in steps, no files of its own, a quiet screen."""

import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Trainer

from vae_lab.checks import ArgumentError, ConfigError, choice, integer, number, one_line
from vae_lab.config.build import build, naming
from vae_lab.data import ImageData

RESERVED = {
    *("accumulate_grad_batches", "callbacks", "check_val_every_n_epoch", "default_root_dir", "enable_checkpointing"),
    *("enable_model_summary", "enable_progress_bar", "fast_dev_run", "limit_test_batches", "limit_train_batches"),
    *("limit_val_batches", "logger", "max_epochs", "max_time", "min_epochs", "min_steps", "num_nodes"),
    *("num_sanity_val_steps", "overfit_batches", "use_distributed_sampler"),
}
PRECISIONS = ("32-true", "64-true", "bf16-true", "bf16-mixed", "16-true", "16-mixed")
TORCH_THREADS = torch.get_num_threads()  # torch's own choice, before any run changed it
VALIDATIONS = 10  # of a run whose interval is not given
FEW_PIXELS = 256  # below, more threads only wait for each other


def lengths(config: Mapping[str, Any], data: ImageData) -> dict[str, int | None]:
    """The trainer's lengths in steps: as they are, or as many steps as ``epochs`` whole passes take."""
    if config.get("epochs") is None:
        return {}
    steps = config["epochs"] * data.batches_per_epoch
    return {"max_steps": steps, "val_check_interval": None}


def make_trainer(config: Mapping[str, Any], **extra: Any) -> Trainer:
    """Build the Lightning trainer; lengths are in steps, files and logs are ours.

    Raises:
        ConfigError: when Lightning refuses an argument.
    """
    node = dict(config["trainer"])
    with naming("trainer"):
        for name in RESERVED & node.keys():
            raise ArgumentError(name, node[name], "is not supported: vae_lab sets it, or counts in plain steps")
        if str(node.get("devices", 1)) != "1":
            raise ArgumentError(
                "devices", node["devices"], "must be 1: one run on several devices is not supported yet"
            )
        steps = integer("max_steps", node.get("max_steps"))
        integer("log_every_n_steps", node.get("log_every_n_steps"))
        if node.get("val_check_interval") is None:
            node["val_check_interval"] = max(steps // VALIDATIONS, 1)
        integer("val_check_interval", node["val_check_interval"])
        if node.get("precision") is not None:
            choice("precision", node["precision"], PRECISIONS)
        if node.get("gradient_clip_val") is not None:
            number("gradient_clip_val", node["gradient_clip_val"], above=0)
    fixed = {"max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
    quiet = {"enable_checkpointing": False, "enable_model_summary": False, "use_distributed_sampler": False}
    try:
        trainer: Trainer = build(node, "trainer", Trainer, **fixed, **quiet, **extra)
    except ConfigError:
        raise
    except Exception as error:  # Lightning's MisconfigurationException and those of its accelerators
        raise ConfigError.part("trainer", one_line(error)) from error
    return trainer


def set_threads(config: Mapping[str, Any], data: ImageData) -> None:
    """Set the CPU threads of torch: as ``threads`` says, or one where images are so small that more only wait."""
    small = math.prod(data.image_shape) < FEW_PIXELS
    torch.set_num_threads(config.get("threads") or (1 if small else TORCH_THREADS))


def quieten() -> None:
    """Send what Lightning and warnings say to the run's log file, not to the screen."""
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log that cannot be written costs its lines, not a traceback on the screen each
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
