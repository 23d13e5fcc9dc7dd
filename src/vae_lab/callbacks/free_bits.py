"""Free bits: a rate below ε costs nothing."""

from typing import Any

from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.remedy import Scheduled
from vae_lab.elbo.penalties import FreeBitsPenalty
from vae_lab.elbo.schedules import make_schedule
from vae_lab.models import RateCost


class FreeBits(Scheduled):
    """Puts a ``FreeBitsPenalty`` into the model, and moves its ε as a schedule says: ε · schedule(step).

    Args:
        mode: ``dimension``, ``sample`` or ``total``.
        epsilon: ε in nats, explained there.
        schedule: as for KL annealing; ``constant`` leaves ε where it is.
        options: the schedule's arguments.

    Example:
        >>> free_bits = FreeBits("total", epsilon=2.0, schedule="linear", steps=100)
        >>> free_bits.value(50)
        1.0
    """

    name = "free_bits"

    def __init__(
        self, mode: str = "dimension", epsilon: float = 0.25, schedule: str = "constant", **options: Any
    ) -> None:
        self.penalty: FreeBitsPenalty = FreeBitsPenalty(mode, epsilon)
        super().__init__(make_schedule(schedule, **options), scale=epsilon)

    @override
    def coefficient(self, model: RateCost) -> Tensor:
        return self.penalty.epsilon
