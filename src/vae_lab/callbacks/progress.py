"""Progress: one bar per run in a terminal, plain lines everywhere else."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm
from typing_extensions import override

from vae_lab.callbacks.intervals import is_logged
from vae_lab.models import VAE

EVERY_SECONDS = 10.0


class StepProgress(ProgressBar):
    """Says what the model commits itself to, then counts optimizer steps.

    Without a terminal it prints a line every ten seconds, without control characters.

    Args:
        label: what to call this run, such as ``[3/24] model.beta=4``.
        suffix: what to say at the end of the bar, such as the sweep's time left.
    """

    def __init__(self, label: str = "", suffix: str = "") -> None:
        super().__init__()
        self.label, self.suffix = label, suffix
        self.bar: tqdm[Any] | None = None

    @override
    def disable(self) -> None:
        """Required of every progress bar; this one has nothing to switch."""

    @override
    def on_train_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self.spoke = time.monotonic()
        if promise := pl_module.commitment():
            print(f"{self.label} {promise}".strip(), flush=True)
        if sys.stdout.isatty():
            layout = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]"
            self.bar = tqdm(
                total=int(trainer.max_steps), initial=trainer.global_step, desc=self.label or "training",
                file=sys.stdout, leave=False, dynamic_ncols=True, bar_format=layout,
            )  # fmt: skip

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not is_logged(trainer, batch_idx):
            return
        if self.bar is not None:
            self.bar.set_postfix_str(", ".join(filter(None, (figures(trainer), self.suffix))), refresh=False)
            self.bar.update(batch_idx + 1 - self.bar.n)
        elif time.monotonic() - self.spoke > EVERY_SECONDS:
            self.spoke = time.monotonic()
            print(f"{self.label} step {batch_idx + 1}/{trainer.max_steps}: {figures(trainer)}".strip(), flush=True)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.close()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.close()


def figures(trainer: Trainer) -> str:
    """The present loss and rate in words."""
    names = {"loss": "train/loss", "KL": "train/rate"}
    logged = trainer.callback_metrics
    return ", ".join(f"{word} {float(logged[name]):.2f}" for word, name in names.items() if name in logged)
