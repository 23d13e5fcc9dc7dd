"""The Lightning trainer of a run: lengths in steps, no files of its own, a quiet screen."""

import logging
import math
import os
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.profilers import PassThroughProfiler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from typing_extensions import override

from vae_lab.checks import ArgumentError, ConfigError, choice, flag, integer, number, one_line
from vae_lab.config.build import build, naming
from vae_lab.data import ImageData
from vae_lab.training.compiling import compile_mode
from vae_lab.training.strategy import strategy

RESERVED = {
    *("accumulate_grad_batches", "callbacks", "check_val_every_n_epoch", "default_root_dir", "enable_checkpointing"),
    *("enable_model_summary", "enable_progress_bar", "fast_dev_run", "limit_test_batches", "limit_train_batches"),
    *("limit_val_batches", "logger", "max_epochs", "max_time", "min_epochs", "min_steps", "num_nodes"),
    *("num_sanity_val_steps", "overfit_batches", "plugins", "strategy", "use_distributed_sampler"),
}
PRECISIONS = ("32-true", "64-true", "bf16-true", "bf16-mixed", "16-true", "16-mixed")
TORCH_THREADS = torch.get_num_threads()  # torch's own choice, before any run changed it
VALIDATIONS = 10  # of a run whose interval is not given
FEW_PIXELS = 256  # below, more threads only wait for each other
UNTIMED = nullcontext()


class NoProfiler(PassThroughProfiler):
    """Times nothing, sixty times a step: Lightning's own that does the same makes a new context each time."""

    @override
    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        return UNTIMED


def lengths(config: Mapping[str, Any], data: ImageData) -> dict[str, int | None]:
    """The trainer's lengths in steps: as they are, or as many steps as ``epochs`` whole passes take."""
    if config.get("epochs") is None:
        return {}
    steps = config["epochs"] * data.batches_per_epoch
    return {"max_steps": steps, "val_check_interval": None}


def device_count(config: Mapping[str, Any]) -> int:
    """On how many devices a run trains its one model, a process on each.

    Raises:
        ConfigError: when ``trainer.devices`` is no whole number >= 1.
    """
    with naming("trainer"):
        return integer("devices", config["trainer"].get("devices", 1))


def is_on_cpu(node: Mapping[str, Any]) -> bool:
    """Whether a trainer with these settings trains on the CPU."""
    accelerator = node.get("accelerator", "auto")
    return accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())


def check_devices(node: Mapping[str, Any], devices: int) -> None:
    """Refuse more GPUs than there are. Of the CPU there may be any number of processes.

    Raises:
        ConfigError: saying how many there are.
    """
    seen = torch.accelerator.device_count()
    if not is_on_cpu(node) and seen < devices:
        way = f"under hydra/launcher=local set hydra.launcher.devices_per_job={devices}"
        raise ConfigError.setting("trainer.devices", devices, f"this process sees {seen}; {way}")


def make_trainer(config: Mapping[str, Any], rank: int = 0, some_idle: bool = False, **extra: Any) -> Trainer:
    """Build the Lightning trainer; lengths are in steps, files and logs are ours. No process is started.

    Args:
        config: the whole config.
        rank: of this process, where the run has several.
        some_idle: whether a step may leave parameters without a gradient; matters to several processes only.
        extra: further arguments of the trainer.

    Raises:
        ConfigError: when Lightning refuses an argument.
    """
    node = dict(config["trainer"])
    with naming("trainer"):
        for name in RESERVED & node.keys():
            raise ArgumentError(name, node[name], "is not supported: vae_lab sets it, or counts in plain steps")
        if not flag("sync_batchnorm", node.pop("sync_batchnorm", True)):
            raise ArgumentError("sync_batchnorm", False, "must be true: batches are those of all devices together")
        steps = integer("max_steps", node.get("max_steps"))
        integer("log_every_n_steps", node.get("log_every_n_steps"))
        if node.get("val_check_interval") is None:
            node["val_check_interval"] = max(steps // VALIDATIONS, 1)
        integer("val_check_interval", node["val_check_interval"])
        compile_mode(node)
        node.pop("compile", None)
        if node.get("precision") is not None:
            choice("precision", node["precision"], PRECISIONS)
            if node["precision"] == "16-mixed" and is_on_cpu(node):  # Lightning would take bfloat16 in its place
                raise ArgumentError("precision", "16-mixed", "needs a GPU; on the CPU take bf16-mixed")
        if node.get("gradient_clip_val") is not None:
            number("gradient_clip_val", node["gradient_clip_val"], above=0)
    node.setdefault("profiler", NoProfiler())
    fixed: dict[str, Any] = {"max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
    if (devices := device_count(config)) > 1:
        check_devices(node, devices)
        fixed["strategy"] = strategy(rank, some_idle)
    quiet = {"enable_checkpointing": False, "enable_model_summary": False, "use_distributed_sampler": False}
    try:
        trainer: Trainer = build(node, "trainer", Trainer, **fixed, **quiet, **extra)
    except ConfigError:
        raise
    except Exception as error:  # Lightning's MisconfigurationException and those of its accelerators
        raise ConfigError.part("trainer", one_line(error)) from error
    return trainer


def set_threads(config: Mapping[str, Any], data: ImageData) -> None:
    """Set the CPU threads of torch, numpy, scipy and scikit-learn.

    They are as ``threads`` says, or one where images are so small that more only wait. The processes of a run share
    them.
    """
    small = math.prod(data.image_shape) < FEW_PIXELS
    threads = config.get("threads") or (1 if small else TORCH_THREADS)
    each = max(threads // device_count(config), 1)
    torch.set_num_threads(each)
    threadpool_limits(each)  # or the test's small matrices wake a thread on each core, which costs more than a test


def forget_gpus() -> None:
    """Where there is no GPU, say so: torch's optimizers would look for its driver at each step."""
    if not torch.accelerator.is_available():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def quieten() -> None:
    """Send what Lightning and warnings say to the run's log file, not to the screen."""
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log that cannot be written costs its lines, not a traceback on the screen each
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
