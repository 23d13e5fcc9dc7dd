"""A run's loggers: checked before a sweep, opened for a run, closed with its result."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from vae_lab.checks import ConfigError, keywords, one_line
from vae_lab.config.build import build, locate, naming
from vae_lab.runs.result import Result
from vae_lab.training.loggers.curves import CSV
from vae_lab.training.loggers.mirror import Mirror
from vae_lab.training.loggers.wandb import WandB

log = logging.getLogger(__name__)

ABOUT = ("directory", "name", "group", "config")  # what every logger is given


def nodes(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The nodes of the config's loggers by key.

    Raises:
        ConfigError: for one that is none.
    """
    found = config.get("logger") or {}
    if not isinstance(found, Mapping):
        raise ConfigError.setting("logger", found, "must be a group of loggers")
    for key, node in found.items():
        if not isinstance(node, Mapping):
            raise ConfigError.setting(f"logger.{key}", node, "must be a logger, with a _target_ and its settings")
    return {str(key): node for key, node in found.items()}


def check_loggers(config: Mapping[str, Any]) -> None:
    """Refuse loggers that cannot start, without starting one.

    Raises:
        ConfigError: for a logger that is none, a setting that it does not take, or a package that is not installed.
    """
    for name, node in nodes(config).items():
        key = f"logger.{name}"
        kind = locate(node.get("_target_"), key, Logger)
        settings = {str(entry): value for entry, value in node.items() if not str(entry).startswith("_")}
        with naming(key):
            if issubclass(kind, Mirror):
                kind.check(**settings)
            else:
                keywords(kind, settings | dict.fromkeys(ABOUT))


def open_loggers(
    config: Mapping[str, Any],
    directory: Path,
    name: str,
    group: str,
    opened: list[Logger],
) -> None:
    """Open the run's loggers one by one into ``opened``, so that those before one that breaks can be closed.

    A service that does not start is a line on the screen, in a sweep too; the run goes on without it.

    Raises:
        ConfigError: for a logger that does not fit.
    """
    check_loggers(config)
    opened.append(CSV(directory))
    about = {"directory": directory, "name": name, "group": group, "config": config}
    for key, node in nodes(config).items():
        try:
            opened.append(build(node, f"logger.{key}", Logger, **about))
        except Exception as error:  # whatever a service may raise; what a person got wrong was refused above
            why = str(error) if isinstance(error, ConfigError) else f"logger.{key}: {one_line(error)}"
            print(f"note: {why}; the run goes on without it", flush=True)
        else:
            if trouble := getattr(opened[-1], "trouble", ""):
                print(f"note: {trouble}", flush=True)


def close_loggers(loggers: Sequence[Logger], directory: Path, result: Result) -> None:
    """Publish the result and end every logger. A service that breaks is a line in the log: the run itself stands."""
    failed = result.status == "failed"
    for logger in loggers:
        try:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandB):
                try:
                    logger.publish(directory, result)
                finally:
                    logger.close(failed)
        except Exception as error:
            log.warning("%s could not be closed: %s", type(logger).__name__, one_line(error))
