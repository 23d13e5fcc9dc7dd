"""Aggressive inference: while the encoder lags behind the decoder, it gets steps of its own."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Remedy
from vae_lab.checks import integer
from vae_lab.models import VAE

GENERATIVE = ("decoder.", "likelihood.")  # θ of p(x|z); the others are the posterior's, or learn from its samples


class AggressiveInference(Remedy):
    """Lagging inference networks (He et al. 2019, algorithm 1), one training batch per step.

    While it lasts, each step trains either the encoder or the decoder: the encoder until a window of steps ends with a
    mean loss no lower than the window before, or after ``most`` steps, then the decoder for one step, and again. It
    ends for good at the first validation at which the mutual information has not risen (``patience`` of them in a row);
    from there on both train together. Every step is one optimizer step on a fresh batch and counts as one: lengths,
    schedules and comparisons at equal steps hold as for any other run. What does not train has no gradient, so that the
    optimizer passes it over, moments and weight decay included. The objective is the same throughout, so that any
    checkpoint may be the best.

    Args:
        window: steps over which the encoder's loss is averaged.
        most: steps of the encoder in a row.
        patience: validations without a rise of the mutual information.
    """

    reads = ("mutual_information",)

    def __init__(self, window: int = 10, most: int = 100, patience: int = 1) -> None:
        self.window, self.most, self.patience = integer("window", window), integer("most", most), patience
        integer("patience", patience)
        self.lasts, self.best, self.without = True, -math.inf, 0
        self.training_encoder = True
        self.restart()

    def restart(self) -> None:
        """Begin a new row of encoder steps."""
        self.steps, self.before = 0, math.inf
        self.total: Tensor | float = 0.0

    @override
    def move(self, step: int, model: VAE) -> None:
        for name, parameter in model.named_parameters():
            generative = name.startswith(GENERATIVE)
            parameter.requires_grad_(not self.lasts or generative != self.training_encoder)

    @override
    def coefficients(self, model: VAE) -> Mapping[str, Tensor]:
        return {"aggressive": torch.tensor(float(self.lasts))}

    @override
    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, outputs: Mapping[str, Any], batch: Any, batch_idx: int
    ) -> None:
        if not self.lasts:
            return
        if self.training_encoder:
            self.training_encoder = self.goes_on(outputs["loss"].detach())
        else:
            self.training_encoder = True
            self.restart()

    def goes_on(self, loss: Tensor) -> bool:
        """Whether the encoder trains on, after a step of its own with this loss ()."""
        self.steps += 1
        self.total = self.total + loss
        if self.steps % self.window == 0:
            mean, self.total = float(self.total) / self.window, 0.0
            if mean >= self.before:
                return False
            self.before = mean
        return self.steps < self.most

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.judge(float(trainer.callback_metrics["val/mutual_information"]))

    def judge(self, mutual_information: float) -> None:
        """End it when the mutual information (nats) of the validation split has stopped rising."""
        self.without = 0 if mutual_information > self.best else self.without + 1
        self.best = max(self.best, mutual_information)
        self.lasts = self.lasts and self.without < self.patience

    @override
    def on_train_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        pl_module.requires_grad_(True)

    @override
    def state_dict(self) -> dict[str, Any]:
        names = ("lasts", "best", "without", "training_encoder", "steps", "before")
        return {name: getattr(self, name) for name in names} | {"total": float(self.total)}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.__dict__.update(state_dict)
