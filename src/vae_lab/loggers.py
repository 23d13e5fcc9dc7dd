"""Loggers: mirrors of the run directory. CSV is always there; services are opened offline unless a person asks."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from vae_lab.results import read_curves

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


def csv_logger(directory: Path) -> CSVLogger:
    """The curves, as ``metrics.csv`` in the run directory itself."""
    return CSVLogger(save_dir=directory, name="", version="")


def tensorboard(directory: Path, name: str, group: str, config: Mapping[str, Any], **options: Any) -> TensorBoardLogger:
    """TensorBoard's event files in ``tensorboard/`` of the run directory, with titled charts under Custom Scalars."""
    if not find_spec("tensorboard"):
        raise ValueError("tensorboard is not installed; pip install 'vae_lab[tensorboard]'")
    logger = TensorBoardLogger(save_dir=directory, name="", version="tensorboard", **options)
    layout = {title: ["Multiline", list(curves)] for title, curves in CHARTS.items()}
    logger.experiment.add_custom_scalars({"collapse": layout})
    return logger


def wandb(
    directory: Path,
    name: str,
    group: str,
    config: Mapping[str, Any],
    project: str = "vae_lab",
    offline: bool = True,
    **options: Any,
) -> WandbLogger:
    """Weights & Biases: one run per job, grouped by sweep, named by what was swept. Offline it needs no account."""
    from wandb import Settings

    return WandbLogger(
        name=name,
        save_dir=directory,
        project=project,
        group=group,
        offline=offline,
        log_model=False,
        config=flat(config),
        settings=Settings(silent=True, console="off"),
        **options,
    )


def publish(loggers: Sequence[Logger], directory: Path, result: Mapping[str, Any]) -> None:
    """Give wandb the result as its summary, and charts that are titled as people say it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            from wandb import plot

            run = logger.experiment
            run.summary.update(
                {name: value for name, value in result.items() if name in ("status", "verdict", "unused")}
            )
            run.summary.update({name: v for name, v in result["metrics"].items() if not isinstance(v, list)})
            recorded = read_curves(directory)
            for title, names in CHARTS.items():
                lines = [(name, *recorded[name]) for name in names if name in recorded]
                if lines:
                    keys, xs, ys = zip(*lines, strict=True)
                    series = plot.line_series(list(xs), list(ys), keys=list(keys), title=title, xname="step")
                    run.log({f"charts/{title}": series})


def close(loggers: Sequence[Logger], failed: bool) -> None:
    """End every logger. wandb's run is finished here, or the next job of this process would go on writing into it."""
    for logger in loggers:
        logger.finalize("failed" if failed else "success")
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code=int(failed))
