"""Checkpoints: ``last`` and ``previous``, from which a run goes on, and ``best`` among those after all schedules."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim.lr_scheduler import LambdaLR
from typing_extensions import override

from vae_lab.callbacks.intervals import is_logged
from vae_lab.collective import from_first, ranks
from vae_lab.files import settle

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
NEW, NEW_BEST = "new.ckpt", "new_best.ckpt"  # while they are being written
MOST_SECONDS = 60.0  # from one checkpoint to the next: what a run that is killed loses at most


class Checkpoints(Callback):
    """Writes checkpoints of tensors and primitives, each first under another name, so that none is ever half there.

    ``last`` is written at each validation, and between two steps when the one before is ``MOST_SECONDS`` old: then
    nothing is pending, every curve has its row and every callback has judged. A trainer that is given it as
    ``ckpt_path`` goes on as if it had never stopped.

    ``best`` has the lowest validation loss, the run's own objective at its final coefficients: what was measured before
    ``eligible_from`` cannot be best, or a transient before the collapse would be picked.

    Args:
        directory: where to write.
        eligible_from: the step at which all schedules have ended.
        recipe: primitives to store with the weights, enough to build the model again.
        clock: says how many seconds the run has taken so far, to store with the weights; 0 unless told.
    """

    def __init__(
        self,
        directory: Path,
        eligible_from: float,
        recipe: dict[str, Any],
        clock: Callable[[], float] = float,
    ) -> None:
        self.directory, self.eligible_from, self.recipe, self.clock = directory, eligible_from, recipe, clock
        self.history: list[tuple[int, float]] = []  # (step, validation loss), eligible ones only
        self.written = time.monotonic()

    @property
    def best_step(self) -> int | None:
        """The step of ``best.ckpt``, None when there is none."""
        finite = [(loss, step) for step, loss in self.history if loss < float("inf")]
        return min(finite)[1] if finite else None

    def about(self) -> dict[str, Any]:
        """What a checkpoint says of the run, beside the weights."""
        return self.recipe | {"seconds": self.clock()}

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["vae_lab"] = self.about()

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        between_steps(checkpoint["loops"]["fit_loop"], checkpoint["global_step"], trainer.max_steps)
        for schedule in checkpoint["lr_schedulers"]:
            forget_form(schedule)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.written = time.monotonic()
        for schedule in (config.scheduler for config in trainer.lr_scheduler_configs):
            if isinstance(schedule, LambdaLR):
                follow_length(schedule)

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.is_due(trainer, batch_idx):
            self.save(trainer)

    def is_due(self, trainer: Trainer, batch_idx: int) -> bool:
        """Whether the last checkpoint is old. Of several processes the first decides, at logging intervals."""
        due = time.monotonic() - self.written > MOST_SECONDS
        if ranks() == 1:
            return due
        return is_logged(trainer, batch_idx) and bool(from_first({"due": torch.tensor(float(due))})["due"])

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True  # makes Lightning validate after the last step, whatever the interval

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        self.save(trainer, is_best=self.judge(step, float(trainer.callback_metrics["val/loss"])))

    def judge(self, step: int, loss: float) -> bool:
        """Take the validation loss after a step into account; whether it is the best."""
        if step >= self.eligible_from:
            self.history.append((step, loss))
        return self.best_step == step

    def save(self, trainer: Trainer, is_best: bool = False) -> None:
        """Write ``last``, after moving the one before to ``previous``; copy it to ``best`` when it is."""
        new = self.directory / NEW
        trainer.save_checkpoint(new)
        if trainer.is_global_zero:
            self.put_in_place(new, is_best)
        trainer.strategy.barrier()  # none reads what another has not written
        self.written = time.monotonic()

    def put_in_place(self, new: Path, is_best: bool) -> None:
        """Give a checkpoint that is written its names."""
        last = self.directory / LAST
        if is_best:
            copy = self.directory / NEW_BEST
            shutil.copyfile(new, copy)
            settle(copy, self.directory / BEST)
        if last.exists():
            os.replace(last, self.directory / PREVIOUS)
        settle(new, last)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [(step, loss) for step, loss in state_dict["history"]]


def forget_form(schedule: dict[str, Any]) -> None:
    """Drop the form of a schedule from its state: it is the config's, which may have a new length."""
    if "lr_lambdas" in schedule:
        schedule["lr_lambdas"] = [None] * len(schedule["lr_lambdas"])


def follow_length(schedule: LambdaLR) -> None:
    """Give the optimizer the learning rate of its next step, by the length that the run has now."""
    groups = zip(schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True)
    for group, base, factor in groups:
        group["lr"] = base * factor(schedule.last_epoch)


def between_steps(progress: dict[str, Any], step: int, max_steps: int) -> None:
    """Make Lightning's record of its loops say that ``step`` batches are done and the next one has not begun.

    That is what it records at the end of a training batch. From there it goes on with the next batch, whatever the
    validation interval is. From what it records elsewhere it would validate again, count a batch twice, or log the
    curves one step off. After the last step the record is that of a training that has ended.
    """
    batches = progress["epoch_loop.batch_progress"]
    done = {"ready": step, "started": step, "processed": step, "completed": step - 1}
    batches.update(total=done, current=dict(done), is_last_batch=False)
    progress["epoch_loop.state_dict"]["_batches_that_stepped"] = step - 1
    if step >= max_steps:
        progress["epoch_loop.state_dict"]["_batches_that_stepped"] = step
        for epochs in progress["epoch_progress"].values():
            epochs.update(processed=1, completed=1)


def still_falling(history: Sequence[tuple[int, float]], max_steps: int) -> bool | None:
    """Whether the validation loss was still falling at the end of a run of ``max_steps`` steps.

    It was when the lowest loss of the last fifth of the run lies more than 0.1 nats, or 0.5 % where that is more, below
    the lowest before. None where there is nothing to compare: too few validations after all schedules had ended.
    """
    early = [loss for step, loss in history if step <= 0.8 * max_steps]
    late = [loss for step, loss in history if step > 0.8 * max_steps]
    if not early or not late:
        return None
    return min(early) - min(late) > max(0.1, 0.005 * abs(min(late)))
