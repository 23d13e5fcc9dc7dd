"""Interruption: a run ends at a signal, whatever code the signal came upon."""

from typing import Any

from lightning.pytorch import Callback
from typing_extensions import override

from vae_lab.endings import heed


class Interruption(Callback):
    """Ends a run at its next batch where the exception of a signal was swallowed on its way.

    Raises:
        Interrupted: when a signal has come.
    """

    @override
    def on_train_batch_start(self, *_: Any) -> None:
        heed()

    @override
    def on_validation_batch_start(self, *_: Any) -> None:
        heed()

    @override
    def on_test_batch_start(self, *_: Any) -> None:
        heed()
