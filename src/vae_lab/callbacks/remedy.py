"""What the callbacks that shape a training have in common: a penalty to put in, coefficients to move and to log."""

from collections.abc import Mapping
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from typing_extensions import override

from vae_lab.callbacks.intervals import is_logged
from vae_lab.data import ImageData
from vae_lab.elbo.penalties import Penalty
from vae_lab.elbo.schedules import Schedule
from vae_lab.models import VAE, RateCost

RATE_COST = ("kl_weight", "penalty")  # the attributes that make it
DERIVE = "derive it from vae_lab.RateCost and let its loss be distortion + self.rate_cost(rate)"
DISTORTION = "distortion"  # by which a module of one's own returns it from its training step


class Payment:
    """The rate (B, D) that a model paid for in its last pass, None before there was one.

    It is seen where the model asks its penalty, so that a loss stays what it is, whoever watches.
    """

    def __init__(self, model: RateCost) -> None:
        self.rate: Tensor | None = None
        self.handle = model.penalty.register_forward_hook(self.note)

    def note(self, penalty: nn.Module, asked: tuple[Tensor], cost: Tensor) -> None:
        """Take note of what the penalty was asked."""
        self.rate = asked[0].detach()


class Remedy(Callback):
    """Base of them all. ``penalty``, where there is one, takes the place of the model's before training.

    A remedy acts on the ``RateCost`` of a model, a VAE of vae_lab or a LightningModule of one's own, unless ``places``
    names other attributes; ``reads`` names the validation metrics that it reads; ``freezes`` says that at some steps it
    trains a part of the model only. One that says all it does by ``move`` and ``observe``, and has no hook of the
    Trainer of its own, can act on a model that is trained in a stack.
    """

    penalty: Penalty | None = None
    payment: Payment | None = None  # of the model that it acts on, during a training
    places: ClassVar[tuple[str, ...]] = RATE_COST
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

    def install(self, model: RateCost) -> None:
        """Put the penalty into the model; a second time changes nothing.

        Raises:
            ValueError: when the model has no place for what this remedy does.
        """
        for place in self.places:
            if not hasattr(model, place):
                remedy, module = type(self).__name__, type(model).__name__
                needed = DERIVE if place in RATE_COST else "give it one, as the VAEs of vae_lab have"
                raise ValueError(f"{remedy}: cannot act on {module}, which has no {place}; {needed}")
        if self.penalty is not None:
            model.penalty = self.penalty

    def prepare(self, model: VAE, data: ImageData) -> None:
        """Put in what it makes of the data, and what no checkpoint holds, before the model's loss is asked for.

        Raises:
            ValueError: when the data do not fit.
        """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            check_exclusive(trainer)
            self.install(pl_module)  # type: ignore[arg-type]

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.places == RATE_COST:  # by now each penalty has its place
            self.payment = Payment(pl_module)  # type: ignore[arg-type]

    def stop_watching(self) -> None:
        """Let go of the model."""
        if self.payment is not None:
            self.payment.handle.remove()
            self.payment = None

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.stop_watching()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.stop_watching()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Observe what a step paid for, and refuse a model that has paid for no rate.

        Raises:
            ValueError: naming the module.
        """
        if self.payment is None:
            return
        if self.payment.rate is None:
            remedy, module = type(self).__name__, type(pl_module).__name__
            silent = f"has no effect, {module} took a step without a call of self.rate_cost(rate)"
            raise ValueError(f"{remedy}: {silent}; let its loss be distortion + self.rate_cost(rate)")
        self.observe(self.payment.rate, distortion_in(outputs))

    def move(self, step: int, model: Any) -> None:
        """Fill the coefficients of optimizer step ``step``, which comes next."""

    def observe(self, rate: Tensor, distortion: Tensor | None) -> None:
        """Take into account the rate (B, D) that a training step paid for, and the distortion (B,) where it is known.

        Raises:
            ValueError: when a distortion is needed and not known.
        """

    def coefficients(self, model: Any) -> Mapping[str, Tensor]:
        """What to log as ``coef/NAME``."""
        return {}

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.move(trainer.global_step, pl_module)
        if is_logged(trainer, batch_idx):
            pl_module.log_dict({f"coef/{name}": value for name, value in self.coefficients(pl_module).items()})

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
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

    def coefficient(self, model: Any) -> Tensor:
        """The buffer () to fill."""
        raise NotImplementedError

    @override
    def move(self, step: int, model: Any) -> None:
        self.coefficient(model).fill_(self.value(step))

    @override
    def coefficients(self, model: Any) -> Mapping[str, Tensor]:
        return {self.name: self.coefficient(model)}


def distortion_in(outputs: Any) -> Tensor | None:
    """The distortion (B,) in what a training step returned, None where it is not there."""
    found = outputs.get(DISTORTION) if isinstance(outputs, Mapping) else None
    if isinstance(outputs, Mapping) and "output" in outputs:  # of a VAE of vae_lab
        found = outputs["output"].terms.distortion
    return found.detach() if isinstance(found, Tensor) else None
