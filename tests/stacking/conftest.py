"""Runs that are trained alone and in a stack, to be compared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_lab.stacking.job import Run
from vae_lab.stacking.train import train

SMALL = ("encoder.hidden=[16]", "decoder.hidden=[16]", "metrics.test.nll.k=0")


@pytest.fixture
def configs(compose_config) -> Callable[..., list[dict[str, Any]]]:
    """Composes the configs of a small sweep: what its jobs share, and what each has of its own."""

    def call(shared, *jobs):
        return [compose_config(*SMALL, *shared, *own) for own in jobs]

    return call


@pytest.fixture
def stack(tmp_path) -> Callable[..., list[Path]]:
    """Trains configs in a stack; gives their directories."""

    def call(configs, name="stacked", **options):
        folders = [tmp_path / name / str(i) for i in range(len(configs))]
        assert not train([Run(config, folder) for config, folder in zip(configs, folders, strict=True)], **options)
        return folders

    return call


@pytest.fixture
def checkpoint() -> Callable[..., dict[str, Any]]:
    """A checkpoint of a run directory, without the seconds that it took."""

    def call(folder, name="last"):
        content = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
        content["vae_lab"].pop("seconds")
        return content

    return call
