"""Seconds of a training step within a run: without start, validations, logging and end."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from vae_lab.training.run import execute

ON_GPU = torch.cuda.is_available()
WARM_UP = 0.5  # of a run's steps: compilation and the first allocations lie in it
clock = time.perf_counter if ON_GPU else time.process_time  # on the CPU seconds of the processor


class Pace(ProgressBar):
    """Times the second half of a training, and may have torch raise at each synchronisation within it.

    It stands in the place of the progress bar.
    """

    def __init__(self, strict: bool) -> None:
        super().__init__()
        self.strict, self.seconds = strict, 0.0

    def disable(self) -> None:
        """Required of every progress bar."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Begin at the middle of the run."""
        if trainer.global_step == int(trainer.max_steps * WARM_UP):
            settle()
            self.began = clock()
            if self.strict:
                torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End before the last step's logging."""
        if trainer.global_step == trainer.max_steps - 1:
            if self.strict:
                torch.cuda.set_sync_debug_mode("default")
            settle()
            self.seconds = clock() - self.began


def settle() -> None:
    """Wait for the device."""
    if ON_GPU:
        torch.cuda.synchronize()


def steps_only(steps: int) -> tuple[str, ...]:
    """What keeps validations, logging and dear figures out of a run."""
    return (
        *(f"trainer.max_steps={steps}", f"trainer.val_check_interval={steps}", f"trainer.log_every_n_steps={steps}"),
        *("metrics.test.nll.k=0", "metrics.test.mutual_information_upper=null"),
    )


def run_pace(config: Mapping[str, Any], strict: bool = False) -> float:
    """Seconds a step of a run in its second half."""
    pace, steps = Pace(strict), config["trainer"]["max_steps"]
    with tempfile.TemporaryDirectory() as directory:
        execute(config, Path(directory) / "run", {}, progress=pace)
    return pace.seconds / (steps - 1 - int(steps * WARM_UP))
