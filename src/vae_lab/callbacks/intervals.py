"""Which optimizer steps are logged."""

from lightning.pytorch import Trainer


def is_logged(trainer: Trainer, batch_idx: int) -> bool:
    """Whether Lightning writes what is logged during batch ``batch_idx``, counted from 0."""
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return (batch_idx + 1) % every == 0
