"""What the mirrors of a run directory share: charts, and that none of them breaks a run."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from typing_extensions import override

from vae_lab.checks import one_line

log = logging.getLogger(__name__)

FIGURES = "figures"  # what pictures are called is put behind it: figures/manifold
CHARTS = {
    "KL (rate), nats per image": ("train/rate", "val/rate"),
    "Distortion, nats per image": ("train/distortion", "val/distortion"),
    "ELBO, nats per image": ("train/elbo", "val/elbo"),
    "Active units": ("val/active_units",),
    "Mutual information, nats": ("val/mutual_information",),
    "KL weight": ("coef/kl_weight",),
}


class Mirror(Logger):
    """A logger that falls silent when its service breaks: the run goes on, and its curves are in the run directory."""

    trouble = ""  # what a person should know of it, in one line
    broken: frozenset[str] = frozenset()  # which of curves and pictures its service no longer takes

    @classmethod
    def check(cls, **settings: Any) -> None:
        """Refuse settings, or a machine, with which it cannot start.

        Raises:
            ValueError: saying what is missing or does not fit.
        """

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand the metrics on, unless the service has broken before."""
        hand_on = super().log_metrics  # type: ignore[safe-super]
        self.attempt("curves", step, lambda: hand_on(dict(metrics), step))

    def log_pictures(self, files: Mapping[str, Path], step: int) -> None:
        """Show PNG and GIF files by name, as they are at a step, unless the service has refused pictures before."""
        self.attempt("pictures", step, lambda: self.show_pictures(files, step))

    def show_pictures(self, files: Mapping[str, Path], step: int) -> None:
        """Hand pictures to the service. One that shows none does nothing."""

    def attempt(self, what: str, step: int | None, hand_on: Callable[[], None]) -> None:
        """Hand something on. From its first failure on it is left out, which is one line in the log."""
        if what in self.broken:
            return
        try:
            hand_on()
        except Exception as error:  # whatever a service may raise
            self.broken |= {what}
            log.warning("%s gets no more %s from step %s on: %s", type(self).__name__, what, step, one_line(error))
