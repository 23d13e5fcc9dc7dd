"""Capacity annealing: the rate is held at a capacity that grows as training goes on."""

from typing import Any

from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Scheduled
from vae_lab.elbo.penalties import CapacityPenalty
from vae_lab.elbo.schedules import make_schedule
from vae_lab.models import RateCost


class Capacity(Scheduled):
    """Puts a ``CapacityPenalty`` into the model, and moves its C as a schedule says (Burgess et al. 2018).

    penalty = γ · |rate - C · schedule(step)|

    Args:
        capacity: C at the schedule's 1, nats per image.
        gamma: γ, what a nat beside C costs.
        schedule: as for KL annealing.
        options: the schedule's arguments.

    Example:
        >>> capacity = Capacity(capacity=10.0, steps=100)
        >>> capacity.value(50)
        5.0
    """

    name = "capacity"

    def __init__(self, capacity: float, gamma: float = 1000.0, schedule: str = "linear", **options: Any) -> None:
        self.penalty: CapacityPenalty = CapacityPenalty(capacity, gamma)
        super().__init__(make_schedule(schedule, **options), scale=capacity)

    @override
    def coefficient(self, model: RateCost) -> Tensor:
        return self.penalty.capacity
