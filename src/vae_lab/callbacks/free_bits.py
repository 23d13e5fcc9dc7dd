"""Free bits: gives the model a penalty that leaves a rate below ε alone."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from vae_lab import penalties


class FreeBits(Callback):
    """Puts ``penalties.FreeBits`` into the model before training; ``mode`` and ``epsilon`` are explained there."""

    def __init__(self, mode: str = "dimension", epsilon: float = 0.25) -> None:
        penalties.FreeBits(mode, epsilon)  # wrong arguments are refused at once
        self.mode, self.epsilon = mode, epsilon

    def install(self, model: LightningModule) -> None:
        """Replace the model's penalty."""
        model.penalty = penalties.FreeBits(self.mode, self.epsilon)

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if (batch_idx + 1) % trainer.log_every_n_steps == 0:
            pl_module.log("coef/free_bits", pl_module.penalty.epsilon)
