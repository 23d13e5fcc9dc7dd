"""What the mirrors of a run directory share: charts, and that none of them breaks a run."""

import logging
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import Logger
from typing_extensions import override

from vae_lab.checks import one_line

log = logging.getLogger(__name__)

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
    broken = False  # whether its service has broken

    @classmethod
    def check(cls, **settings: Any) -> None:
        """Refuse settings, or a machine, with which it cannot start.

        Raises:
            ValueError: saying what is missing or does not fit.
        """

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand the metrics on, unless the service has broken before."""
        if self.broken:
            return
        try:
            super().log_metrics(dict(metrics), step)  # type: ignore[safe-super]
        except Exception as error:  # whatever a service may raise
            self.broken = True
            log.warning("%s is left out from step %s on: %s", type(self).__name__, step, one_line(error))
