"""KL annealing: moves the weight of the KL between 0 and 1 as training goes on."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from typing_extensions import override

from vae_lab import schedules
from vae_lab.checks import choice
from vae_lab.models import VAE
from vae_lab.steps import is_logged

SCHEDULES: dict[str, type[schedules.Schedule]] = {
    "constant": schedules.Constant,
    "linear": schedules.Linear,
    "cosine": schedules.Cosine,
    "sigmoid": schedules.Sigmoid,
    "cyclical": schedules.Cyclical,
}


class KLAnnealing(Callback):
    """Before each optimizer step and each validation, fills the model's ``kl_weight`` with the schedule's value.

    Args:
        schedule: ``constant``, ``linear``, ``cosine``, ``sigmoid`` or ``cyclical``.
        options: that schedule's arguments.
    """

    def __init__(self, schedule: str = "constant", **options: Any) -> None:
        self.schedule = SCHEDULES[choice("schedule", schedule, SCHEDULES)](**options)

    @property
    def end(self) -> int:
        """The first step from which nothing changes any more."""
        return self.schedule.end

    @override
    def on_train_batch_start(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, batch: Any, batch_idx: int
    ) -> None:
        self.move(trainer, pl_module)
        if is_logged(trainer, batch_idx):
            pl_module.log("coef/kl_weight", self.schedule(trainer.global_step))

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.move(trainer, pl_module)

    def move(self, trainer: Trainer, model: VAE) -> None:
        """Fill the weight of the step that comes next."""
        model.kl_weight.fill_(self.schedule(trainer.global_step))
