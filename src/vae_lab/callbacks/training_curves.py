"""Training curves: what the model's own pass says of each logged step."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from vae_lab.callbacks.intervals import is_logged
from vae_lab.collective import batch_mean
from vae_lab.models import Output


class TrainingCurves(Callback):
    """Logs ``train/loss``, ``train/elbo``, ``train/rate``, ``train/distortion`` and the loss' further terms.

    They are of the training batch, in nats per image, at the trainer's logging interval.
    """

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if is_logged(trainer, batch_idx):
            pl_module.log_dict({f"train/{name}": value for name, value in figures(outputs["output"]).items()})


def figures(output: Output) -> Mapping[str, Any]:
    """The figures of one training batch by name, each ()."""
    rate, distortion = batch_mean(output.terms.rate.sum(1)), batch_mean(output.terms.distortion)
    return {"loss": output.loss, "elbo": -rate - distortion, "rate": rate, "distortion": distortion, **output.extra}
