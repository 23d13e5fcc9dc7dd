"""Control: a controller moves the weight of the rate so that the rate, or the distortion, is held at a target."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Remedy
from vae_lab.checks import choice, keywords
from vae_lab.collective import batch_mean
from vae_lab.elbo.controllers import Adaptive, Controller, Geco, ProportionalIntegral
from vae_lab.elbo.penalties import ControlledPenalty
from vae_lab.models import RateCost

LAWS: dict[str, type[Controller]] = {"adaptive": Adaptive, "pi": ProportionalIntegral, "geco": Geco}


def make_controller(law: str, options: Mapping[str, Any]) -> Controller:
    """The controller of that name with its arguments.

    Raises:
        ArgumentError: for an unknown name, or whatever the controller refuses.
    """
    controller = LAWS[choice("law", law, LAWS)]
    keywords(controller, options)
    return controller(**options)


class Control(Remedy):
    """Puts a ``ControlledPenalty`` into the model, and shows it each training batch's rate or distortion.

    The rate is the one that the model paid for. Where the controller measures the distortion, the training step of a
    LightningModule of one's own returns it: ``{"loss": loss, "distortion": distortion}``.

    Args:
        law: ``adaptive`` (VLAE), ``pi`` (ControlVAE) or ``geco``; or a controller of one's own.
        options: the arguments of the controller that is named.

    Example:
        >>> Control("pi", target=3.0).penalty.floor(latent_dim=4)
        3.0
    """

    def __init__(self, law: str | Controller, **options: Any) -> None:
        self.penalty: ControlledPenalty = ControlledPenalty(
            make_controller(law, options) if isinstance(law, str) else law
        )

    @property
    @override
    def end(self) -> float:
        return math.inf

    @override
    def coefficients(self, model: RateCost) -> Mapping[str, Tensor]:
        return {"control": self.penalty.weight}

    @override
    def observe(self, rate: Tensor, distortion: Tensor | None) -> None:
        measured = rate if self.penalty.controller.measures == "rate" else distortion
        if measured is None:
            returned = '{"loss": loss, "distortion": distortion}, with the distortion (B,) of each image'
            raise ValueError(f"Control: measures the distortion; let the training_step return {returned}")
        self.penalty.observe(image_mean(measured))


def image_mean(figure: Tensor) -> Tensor:
    """The mean over the batch of a rate (B, D) or a distortion (B,), summed over dimensions: (), nats per image."""
    return batch_mean(figure.view(len(figure), -1).sum(1))
