"""Evaluation: measures the model from outside, on the validation split during training and on the test split after."""

from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from typing_extensions import override

from vae_lab.collective import from_first
from vae_lab.data import as_batch
from vae_lab.models import VAE, Output

RECONSTRUCTION = ("reconstruction", "preds")  # the mean image of p(x|z); the second name is torchmetrics'
KNOWN = (
    *("x", "indices", "labels", "factors"),  # the batch
    *("loss", "extra", "mean", "stddev", "z", "params", "distortion", "rate", "noise"),  # the model's pass
    *("target", *RECONSTRUCTION),  # target: x, by torchmetrics' name
)


def takes(metric: Metric) -> dict[str, bool]:
    """What the metric's ``update`` takes, by name, and whether it cannot do without."""
    parameters = signature(metric.update).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: p.default is p.empty for p in named}


def takes_reconstruction(metric: Metric) -> bool:
    """Whether the metric's ``update`` takes the mean images."""
    return not takes(metric).keys().isdisjoint(RECONSTRUCTION)


def computed(metric: Metric) -> Any:
    """What the metric's ``compute`` gives, in the shape that it has.

    Called on the instance, it is torchmetrics' wrapper, which makes a number of a vector of one latent.
    """
    with metric.sync_context():
        return type(metric).compute(metric)


class Evaluation(Callback):
    """Feeds a split through the metrics, batch by batch, and logs what they say as ``val/...`` or ``test/...``.

    A metric's ``update`` is given what it names of ``KNOWN``. Its ``compute`` gives figures by name, or one figure that
    takes the metric's own name; a figure that another metric has already is called ``METRIC_FIGURE``. Nothing of a pass
    is kept but its figures.

    Args:
        val: the metrics of the validation split, by name; may be used again and again.
        test: the metrics of the test split.

    After a test, ``figures`` holds all figures of the split by name: floats, and lists for figures per dimension.

    Example:
        >>> from vae_lab.metrics import ActiveUnits, RateDistortion
        >>> evaluation = Evaluation(val={"elbo": RateDistortion(latent_dim=16)}, test={"units": ActiveUnits()})
    """

    def __init__(self, val: Mapping[str, Metric], test: Mapping[str, Metric]) -> None:
        self.names = {"val": tuple(val), "test": tuple(test)}
        self.metrics = {
            split: MetricCollection(dict(chosen), compute_groups=False)
            for split, chosen in (("val", val), ("test", test))
        }
        self.reconstructs = {
            split: any(map(takes_reconstruction, self.metrics[split].values())) for split in self.names
        }
        self.figures: dict[str, float | list[float]] = {}

    def start(self, split: str, model: VAE) -> None:
        """Begin a pass over a split."""
        self.metrics[split].to(model.device).reset()

    def update(self, split: str, model: VAE, output: Output, batch: Any, batch_idx: int) -> None:
        """Take one batch into account."""
        terms = output.terms
        known = as_batch(batch, batch_idx)._asdict() | terms._asdict()
        known |= {"loss": output.loss, "extra": output.extra, "target": terms.x}
        if self.reconstructs[split]:
            known |= dict.fromkeys(RECONSTRUCTION, model.likelihood(terms.params).mean)
        self.metrics[split].update(**known)

    def compute(self, split: str) -> dict[str, Tensor]:
        """All figures of the pass by name, () each, (D,) for figures per dimension; the metrics forget it."""
        figures: dict[str, Tensor] = {}
        for name in self.names[split]:
            found = computed(self.metrics[split][name])
            for figure, value in (found if isinstance(found, dict) else {name: found}).items():
                figures[f"{name}_{figure}" if figure in figures else figure] = torch.as_tensor(value).detach()
        self.metrics[split].reset()
        return from_first(figures)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.start("val", pl_module)

    @override
    def on_validation_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: VAE,
        outputs: Output,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.update("val", pl_module, outputs, batch, batch_idx)

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        figures = {f"val/{name}": value for name, value in self.compute("val").items()}
        if trainer.state.fn != TrainerFn.FITTING:
            pl_module.log_dict(dict(flat(figures)))
        elif not trainer.sanity_checking:  # ten times as fast as through the module's log
            trainer.callback_metrics.update({name: value for name, value in figures.items() if value.ndim == 0})
            row = {name: value.item() for name, value in flat(figures)}
            for logger in trainer.loggers:
                logger.log_metrics(row, step=max(trainer.global_step - 1, 0))

    @override
    def on_test_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.start("test", pl_module)

    @override
    def on_test_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: VAE,
        outputs: Output,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.update("test", pl_module, outputs, batch, batch_idx)

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        figures = self.compute("test")
        pl_module.log_dict({f"test/{name}": value for name, value in flat(figures)})
        self.figures = {f"test/{name}": value.tolist() for name, value in figures.items()}


def flat(figures: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Scalars under their own name, vectors as ``name/00``, ``name/01``, ..."""
    for name, value in figures.items():
        if value.ndim == 0:
            yield name, value
        else:
            yield from flat({f"{name}/{j:02d}": element for j, element in enumerate(value)})
