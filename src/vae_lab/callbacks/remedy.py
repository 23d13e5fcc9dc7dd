"""What the callbacks that shape a training have in common: a penalty to put in, coefficients to move and to log."""

from collections.abc import Mapping
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.intervals import is_logged
from vae_lab.elbo.penalties import Penalty
from vae_lab.elbo.schedules import Schedule
from vae_lab.models import VAE, Output


class Remedy(Callback):
    """Base of them all. ``penalty``, where there is one, takes the place of the model's before training.

    One that says all it does by ``move`` and ``observe``, and has no hook of the Trainer of its own, can act on a model
    that is trained in a stack.

    ``places`` names the attributes of a model that it acts on, beside ``penalty``; ``reads`` names the validation
    metrics that it reads; ``freezes`` says that at some steps it trains a part of the model only.
    """

    penalty: Penalty | None = None
    places: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    freezes: ClassVar[bool] = False

    @property
    def prices_rate(self) -> bool:
        """Whether it sets what the rate costs: of two such remedies, the second would undo the first."""
        return self.penalty is not None

    @property
    def end(self) -> float:
        """The first step from which no coefficient changes any more; infinite where that never comes."""
        return 0

    def install(self, model: VAE) -> None:
        """Put the penalty into the model; a second time changes nothing.

        Raises:
            ValueError: when the model has no place for what this remedy does.
        """
        for place in (*self.places, *(["penalty"] if self.prices_rate else [])):
            if not hasattr(model, place):
                remedy, module = type(self).__name__, type(model).__name__
                raise ValueError(f"{remedy}: cannot act on {module}, which has no {place}; it needs a VAE of vae_lab")
        if self.penalty is not None:
            model.penalty = self.penalty

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            check_exclusive(trainer)
            self.install(pl_module)  # type: ignore[arg-type]

    def move(self, step: int, model: VAE) -> None:
        """Fill the coefficients of optimizer step ``step``, which comes next."""

    def observe(self, output: Output) -> None:
        """Take into account what a training step has measured."""

    def coefficients(self, model: VAE) -> Mapping[str, Tensor]:
        """What to log as ``coef/NAME``."""
        return {}

    @override
    def on_train_batch_start(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, batch: Any, batch_idx: int
    ) -> None:
        self.move(trainer.global_step, pl_module)
        if is_logged(trainer, batch_idx):
            pl_module.log_dict({f"coef/{name}": value for name, value in self.coefficients(pl_module).items()})

    @override
    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, outputs: Mapping[str, Any], batch: Any, batch_idx: int
    ) -> None:
        self.observe(outputs["output"])

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.move(trainer.global_step, pl_module)


def check_exclusive(trainer: Trainer) -> None:
    """Refuse two remedies of a trainer that each price the rate.

    Raises:
        ValueError: naming both.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    names = [type(remedy).__name__ for remedy in callbacks if isinstance(remedy, Remedy) and remedy.prices_rate]
    if len(names) > 1:
        raise ValueError(f"{names[1]}: cannot go with {names[0]}: both price the rate")


class Scheduled(Remedy):
    """Moves one coefficient ``name`` as ``scale`` times a schedule says."""

    name: str

    def __init__(self, schedule: Schedule, scale: float = 1.0) -> None:
        self.schedule, self.scale = schedule, scale

    @property
    @override
    def end(self) -> float:
        return self.schedule.end

    def value(self, step: int) -> float:
        """The coefficient at optimizer step ``step``."""
        return self.scale * self.schedule(step)

    def coefficient(self, model: VAE) -> Tensor:
        """The buffer () to fill."""
        raise NotImplementedError

    @override
    def move(self, step: int, model: VAE) -> None:
        self.coefficient(model).fill_(self.value(step))

    @override
    def coefficients(self, model: VAE) -> Mapping[str, Tensor]:
        return {self.name: self.coefficient(model)}
