"""KL annealing: moves the weight of the KL between 0 and 1 as training goes on."""

from typing import Any

from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Scheduled
from vae_lab.elbo.schedules import make_schedule
from vae_lab.models import RateCost


class KLAnnealing(Scheduled):
    """Fills the model's ``kl_weight``.

    Args:
        schedule: ``constant``, ``linear``, ``cosine``, ``sigmoid``, ``exponential`` or ``cyclical``.
        options: that schedule's arguments.

    Example:
        >>> KLAnnealing("linear", steps=100).value(25)
        0.25
    """

    name = "kl_weight"

    def __init__(self, schedule: str = "constant", **options: Any) -> None:
        super().__init__(make_schedule(schedule, **options))

    @override
    def coefficient(self, model: RateCost) -> Tensor:
        return model.kl_weight
