"""Non-finite loss: ends a run whose loss is no longer a finite number."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from vae_lab.callbacks.intervals import is_logged
from vae_lab.collective import lowest

MOST = 1000  # losses kept


class Diverged(RuntimeError):
    """The loss became NaN or infinite at optimizer step ``step``."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss was no longer finite at step {step}")
        self.step = step


def first_nonfinite(found: Tensor, loss: Tensor, step: int) -> Tensor:
    """The first step with a non-finite loss, infinite as long as there is none, of one model () or of several (K,).

    Example:
        >>> found, loss = torch.tensor([torch.inf, 3.0, torch.inf]), torch.tensor([0.5, torch.nan, torch.nan])
        >>> first_nonfinite(found, loss, step=7)
        tensor([inf, 3., 7.])
    """
    return torch.where(loss.isfinite(), found, found.clamp(max=step))


class NonFiniteLoss(Callback):
    """Keeps the losses on the device, and looks at them at logging intervals.

    Raises:
        Diverged: at the next logging interval, validation or end of training, naming the exact step.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.first_bad, self.step = torch.full((), torch.inf), 0
        self.losses: list[Tensor] = []  # up to the step, since it was looked at them

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.first_bad = self.first_bad.to(pl_module.device)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.losses.append(outputs["loss"])
        self.step = trainer.global_step
        if is_logged(trainer, batch_idx) or len(self.losses) == MOST:
            self.check()

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check()

    def check(self) -> None:
        """Raise ``Diverged`` when a bad step was noted, by any of the processes of a run."""
        self.look()
        step = lowest(self.first_bad).item()
        if step != torch.inf:
            raise Diverged(int(step))

    def look(self) -> None:
        """Note the first of the losses that is not finite."""
        if self.losses:
            losses = torch.stack(self.losses)
            steps = torch.arange(self.step - len(losses) + 1, self.step + 1, device=losses.device)
            self.first_bad = self.first_bad.minimum(torch.where(losses.isfinite(), torch.inf, steps).min())
            self.losses.clear()

    @override
    def state_dict(self) -> dict[str, Any]:
        self.look()
        return {"first_bad": self.first_bad.item()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.first_bad = torch.tensor(state_dict["first_bad"])
