"""Checkpoints: ``last`` and ``previous`` at each validation, ``best`` among those after all schedules have ended."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override


class Checkpoints(Callback):
    """Writes checkpoints of tensors and primitives, each first under another name, so that none is ever half there.

    ``best`` has the lowest validation loss, the run's own objective at its final coefficients: what was measured before
    ``eligible_from`` cannot be best, or a transient before the collapse would be picked.

    Args:
        directory: where to write.
        eligible_from: the step at which all schedules have ended.
        recipe: primitives to store with the weights, enough to build the model again.
    """

    def __init__(self, directory: Path, eligible_from: float, recipe: dict[str, Any]) -> None:
        self.directory, self.eligible_from, self.recipe = directory, eligible_from, recipe
        self.history: list[tuple[int, float]] = []  # (step, validation loss), eligible ones only

    @property
    def best_step(self) -> int | None:
        """The step of ``best.ckpt``, None when there is none."""
        finite = [(loss, step) for step, loss in self.history if loss < float("inf")]
        return min(finite)[1] if finite else None

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["vae_lab"] = self.recipe

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True  # makes Lightning validate after the last step, whatever the interval

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        if step >= self.eligible_from:
            self.history.append((step, float(trainer.callback_metrics["val/loss"])))
        self.save(trainer, is_best=self.best_step == step)

    def save(self, trainer: Trainer, is_best: bool) -> None:
        """Write ``last``, after moving the one before to ``previous``; copy it to ``best`` when it is."""
        last, new = self.directory / "last.ckpt", self.directory / "new.ckpt"
        trainer.save_checkpoint(new)
        if is_best:
            copy = self.directory / "new_best.ckpt"
            shutil.copyfile(new, copy)
            os.replace(copy, self.directory / "best.ckpt")
        if last.exists():
            os.replace(last, self.directory / "previous.ckpt")
        os.replace(new, last)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [(step, loss) for step, loss in state_dict["history"]]


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
