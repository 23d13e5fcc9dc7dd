"""The curves of a run as its own file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from vae_lab.runs.curves import CurveFile


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
