"""Aggressive inference: while the encoder lags behind the decoder, it gets steps of its own."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Remedy
from vae_lab.checks import integer
from vae_lab.models import VAE

GENERATIVE = ("decoder.", "likelihood.")  # θ of p(x|z); the others are the posterior's, or learn from its samples
MONITOR = "val/mutual_information"


class AggressiveInference(Remedy):
    """Lagging inference networks (He et al. 2019, algorithm 1), one training batch per step.

    While it is active, each step trains either the encoder or the decoder: the encoder until a window of steps ends
    with a mean loss no lower than the window before, or after ``max_encoder_steps``, then the decoder for one step, and
    again. It ends for good at the first validation at which the mutual information has not risen (``patience`` of them
    in a row); from there on both train together. Every step is one optimizer step on a fresh batch and counts as one:
    lengths, schedules and comparisons at equal steps hold as for any other run. What does not train has no gradient, so
    that the optimizer passes it over, moments and weight decay included. The objective is the same throughout, so that
    any checkpoint may be the best.

    Args:
        window: steps over which the encoder's loss is averaged.
        max_encoder_steps: steps of the encoder in a row.
        patience: validations without a rise of the mutual information.

    Raises:
        ValueError: for a number that is not whole and >= 1, and where the mutual information is not logged.

    Example:
        >>> remedy = AggressiveInference(patience=1)
        >>> remedy.judge(mutual_information=2.0)
        >>> remedy.judge(mutual_information=1.9)
        >>> remedy.active
        False
    """

    places: ClassVar = ("encoder", "decoder")
    reads: ClassVar = ("mutual_information",)
    freezes: ClassVar = True

    def __init__(self, window: int = 10, max_encoder_steps: int = 100, patience: int = 1) -> None:
        self.window, self.patience = integer("window", window), integer("patience", patience)
        self.max_encoder_steps = integer("max_encoder_steps", max_encoder_steps)
        self.active, self.best_score, self.wait_count = True, -math.inf, 0
        self.training_encoder = True
        self.restart()

    def restart(self) -> None:
        """Begin a new row of encoder steps."""
        self.encoder_steps, self.previous_loss = 0, math.inf
        self.loss_sum: Tensor | float = 0.0

    @override
    def move(self, step: int, model: VAE) -> None:
        for name, parameter in model.named_parameters():
            generative = name.startswith(GENERATIVE)
            parameter.requires_grad_(not self.active or generative != self.training_encoder)

    @override
    def coefficients(self, model: VAE) -> Mapping[str, Tensor]:
        return {"aggressive": torch.tensor(float(self.active))}

    @override
    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, outputs: Mapping[str, Any], batch: Any, batch_idx: int
    ) -> None:
        if not self.active:
            return
        if self.training_encoder:
            self.training_encoder = self.encoder_continues(outputs["loss"].detach())
        else:
            self.training_encoder = True
            self.restart()

    def encoder_continues(self, loss: Tensor) -> bool:
        """Whether the encoder trains on, after a step of its own with this loss ()."""
        self.encoder_steps += 1
        self.loss_sum = self.loss_sum + loss
        if self.encoder_steps % self.window == 0:
            mean, self.loss_sum = float(self.loss_sum) / self.window, 0.0
            if mean >= self.previous_loss:
                return False
            self.previous_loss = mean
        return self.encoder_steps < self.max_encoder_steps

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        if MONITOR not in trainer.callback_metrics:
            raise ValueError(f"AggressiveInference: needs {MONITOR}, which no callback logs; add Evaluation before it")
        self.judge(float(trainer.callback_metrics[MONITOR]))

    def judge(self, mutual_information: float) -> None:
        """End it when the mutual information (nats) of the validation split has stopped rising."""
        self.wait_count = 0 if mutual_information > self.best_score else self.wait_count + 1
        self.best_score = max(self.best_score, mutual_information)
        self.active = self.active and self.wait_count < self.patience

    @override
    def on_train_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        pl_module.requires_grad_(True)

    @override
    def state_dict(self) -> dict[str, Any]:
        names = ("active", "best_score", "wait_count", "training_encoder", "encoder_steps", "previous_loss")
        return {name: getattr(self, name) for name in names} | {"loss_sum": float(self.loss_sum)}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.__dict__.update(state_dict)
