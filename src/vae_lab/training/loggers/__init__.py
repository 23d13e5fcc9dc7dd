"""Loggers: mirrors of the run directory. The curves are always in it; services are opened offline unless asked."""

from vae_lab.training.loggers.curves import CSV
from vae_lab.training.loggers.tensorboard import TensorBoard
from vae_lab.training.loggers.wandb import WandB

__all__ = ["CSV", "TensorBoard", "WandB"]
