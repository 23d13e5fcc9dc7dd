"""Loggers: mirrors of the run directory. CSV is always there; services are opened offline unless a person asks."""

import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from vae_lab.runs.curves import CurveFile, read_curves
from vae_lab.runs.result import Result

log = logging.getLogger(__name__)

CHARTS = {
    "KL (rate), nats per image": ("train/rate", "val/rate"),
    "Distortion, nats per image": ("train/distortion", "val/distortion"),
    "ELBO, nats per image": ("train/elbo", "val/elbo"),
    "Active units": ("val/active_units",),
    "Mutual information, nats": ("val/mutual_information",),
    "KL weight": ("coef/kl_weight",),
}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested config as one level with dotted names: ``{"model.beta": 1.0, ...}``."""
    entries: dict[str, Any] = {}
    for key, value in config.items():
        entries |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return entries


class CSV(Logger):
    """The curves, as ``metrics.csv`` in the run directory itself. An existing file is continued."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file: CurveFile | None = None

    @property
    @override
    def name(self) -> None:
        """None: the run directory is named already."""

    @property
    @override
    def version(self) -> None:
        """None: a run directory has no versions."""

    @property
    @override
    def save_dir(self) -> str:
        return str(self.directory)

    @override
    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the config lies in ``.hydra/``."""

    @override
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row of the metrics that were logged at a step."""
        self.file = self.file or CurveFile(self.directory)
        self.file.append(step or 0, metrics)


class TensorBoard(TensorBoardLogger):
    """TensorBoard's event files in ``tensorboard/`` of the run directory, with titled charts under Custom Scalars.

    Raises:
        ValueError: when TensorBoard is not installed.
    """

    def __init__(self, directory: Path, name: str, group: str, config: Mapping[str, Any], **options: Any) -> None:
        if not find_spec("tensorboard"):
            raise ValueError("tensorboard is not installed; pip install 'vae_lab[tensorboard]'")
        super().__init__(save_dir=directory, name="", version="tensorboard", **options)
        layout = {title: ["Multiline", list(curves)] for title, curves in CHARTS.items()}
        self.experiment.add_custom_scalars({"collapse": layout})


class WandB(WandbLogger):
    """Weights & Biases: one run per job, grouped by sweep, named by what was swept. Offline it needs no account."""

    def __init__(
        self,
        directory: Path,
        name: str,
        group: str,
        config: Mapping[str, Any],
        project: str = "vae_lab",
        offline: bool = True,
        **options: Any,
    ) -> None:
        from wandb import Settings

        quiet = Settings(silent=True, console="off")
        fixed: dict[str, Any] = {"log_model": False, "config": flat(config), "settings": quiet}
        super().__init__(
            name=name, save_dir=directory, project=project, group=group, offline=offline, **fixed, **options
        )  # fmt: skip

    def publish(self, directory: Path, result: Result) -> None:
        """Give the run its result as summary, and charts that are titled as people say it."""
        from wandb import plot

        run = self.experiment
        run.summary.update({name: getattr(result, name) for name in ("status", "reason", "verdict", "unused")})
        run.summary.update({name: value for name, value in result.metrics.items() if not isinstance(value, list)})
        recorded = read_curves(directory)
        for title, names in CHARTS.items():
            lines = [(name, *recorded[name]) for name in names if name in recorded]
            if lines:
                keys, xs, ys = zip(*lines, strict=True)
                series = plot.line_series(list(xs), list(ys), keys=list(keys), title=title, xname="step")
                run.log({f"charts/{title}": series})

    def close(self, failed: bool) -> None:
        """End the run here, or the next job of this process would go on writing into it."""
        self.experiment.finish(exit_code=int(failed))


def close(loggers: Sequence[Logger], directory: Path, result: Result) -> None:
    """Publish the result and end every logger. A service that breaks is a line in the log: the run itself stands."""
    failed = result.status == "failed"
    for logger in loggers:
        try:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandB):
                try:
                    if not failed:
                        logger.publish(directory, result)
                finally:
                    logger.close(failed)
        except Exception:
            log.exception("%s could not be closed", type(logger).__name__)
