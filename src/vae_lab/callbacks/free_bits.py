"""Free bits: gives the model a penalty that leaves a rate below ε alone."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from typing_extensions import override

from vae_lab import penalties
from vae_lab.models import VAE
from vae_lab.steps import is_logged


class FreeBits(Callback):
    """Puts ``penalties.FreeBits`` into the model before training; ``mode`` and ``epsilon`` are explained there."""

    def __init__(self, mode: str = "dimension", epsilon: float = 0.25) -> None:
        self.penalty = penalties.FreeBits(mode, epsilon)

    def install(self, model: VAE) -> None:
        """Replace the model's penalty."""
        model.penalty = self.penalty

    @override
    def on_train_batch_start(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, batch: Any, batch_idx: int
    ) -> None:
        if is_logged(trainer, batch_idx):
            pl_module.log("coef/free_bits", self.penalty.epsilon)
