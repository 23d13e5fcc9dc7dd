"""Control: a controller moves the weight of the rate so that the rate, or the distortion, is held at a target."""

import math
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Remedy
from vae_lab.checks import choice, keywords
from vae_lab.elbo import controllers
from vae_lab.elbo.penalties import Controlled
from vae_lab.models import VAE

LAWS: dict[str, type[controllers.Controller]] = {
    "adaptive": controllers.Adaptive,
    "pi": controllers.ProportionalIntegral,
    "geco": controllers.Geco,
}


class Control(Remedy):
    """Puts ``penalties.Controlled`` into the model, and shows it each training batch's rate or distortion.

    Args:
        law: ``adaptive`` (VLAE), ``pi`` (ControlVAE) or ``geco``.
        options: that controller's arguments.
    """

    def __init__(self, law: str, **options: Any) -> None:
        controller = LAWS[choice("law", law, LAWS)]
        keywords(controller, options)
        self.penalty: Controlled = Controlled(controller(**options))

    @property
    @override
    def end(self) -> float:
        return math.inf

    @override
    def coefficients(self, model: VAE) -> Mapping[str, Tensor]:
        return {"control": self.penalty.weight}

    @override
    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, outputs: Mapping[str, Any], batch: Any, batch_idx: int
    ) -> None:
        self.penalty.observe(batch_mean(getattr(outputs["output"].terms, self.penalty.controller.measures)))


def batch_mean(figure: Tensor) -> Tensor:
    """The mean over the batch of a rate (B, D) or a distortion (B,), summed over dimensions: (), nats per image."""
    return figure.view(len(figure), -1).sum(1).mean()
