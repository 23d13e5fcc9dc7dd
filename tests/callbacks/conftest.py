"""Short trainings that are watched from outside."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer

from vae_lab.training.assembly import Parts, assemble
from vae_lab.training.trainer import make_trainer, quieten


@pytest.fixture
def fit(tmp_path) -> Callable[..., tuple[Parts, Trainer]]:
    """Trains what a config says, with more callbacks, and writes nothing."""

    def call(config: dict[str, Any], *watchers: Callback, before: Callable[[Parts], Any] = lambda _: None):
        quieten()
        parts = assemble(config)
        before(parts)
        callbacks = [*parts.remedies, parts.evaluation, *watchers]
        options = {"logger": False, "enable_progress_bar": False, "default_root_dir": str(tmp_path)}
        trainer = make_trainer(config, callbacks=callbacks, **options)
        trainer.fit(parts.model, datamodule=parts.data)
        return parts, trainer

    return call


@pytest.fixture
def curve(tmp_path) -> Callable[..., dict[int, float]]:
    """One figure of a run, the one in ``tmp_path`` unless told, by step, counted from 1."""

    def call(name: str, directory: Path = tmp_path) -> dict[int, float]:
        with (directory / "metrics.csv").open() as file:
            return {int(row["step"]) + 1: float(row[name]) for row in csv.DictReader(file) if row.get(name)}

    return call
