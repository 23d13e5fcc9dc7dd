"""Trained models back from disk. A checkpoint is data: loading one never runs code that it brings."""

import pickle
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vae_lab.checks import ArgumentError, ConfigError
from vae_lab.runs.find import find_run
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.runs.result import Result

if TYPE_CHECKING:
    from vae_lab.models import VAE

CHECKPOINT_FORMAT = 2  # of the recipe that a checkpoint holds beside its weights


def checkpoint_of(path: str | Path) -> Path:
    """The checkpoint that a person means: a file, a run directory, or ``latest``.

    Raises:
        ValueError: when there is none.
    """
    file = Path(path).expanduser()
    if file.is_file():
        return file
    run = find_run(str(path))
    result = Result.read(run)
    found = run / CHECKPOINTS / (result.checkpoint or "last.ckpt")
    if not found.is_file():
        raise ArgumentError("run", run, f"has no checkpoint (status {result.status}: {result.reason})")
    return found


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint of tensors and primitives.

    Raises:
        ValueError: when it is truncated, holds anything else, or was not written by vae_lab.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{file}: refused, it holds more than tensors and primitives or is no checkpoint") from error
    except (OSError, EOFError, RuntimeError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file}: cannot be read, truncated or no checkpoint ({type(error).__name__})") from error
    recipe = content.get("vae_lab") if isinstance(content, dict) else None
    if not isinstance(recipe, dict) or "config" not in recipe or "state_dict" not in content:
        raise ValueError(f"{file}: was not written by vae_lab: it does not say which model it holds")
    if "format" not in recipe:
        raise ValueError(f"{file}: a checkpoint of vae_lab 0.1.0, which this version no longer loads; train it again")
    if recipe["format"] != CHECKPOINT_FORMAT:
        raise ValueError(f"{file}: has format {recipe['format']}, this vae_lab loads format {CHECKPOINT_FORMAT}")
    return dict(content)


def load(path: str | Path, device: str | torch.device = "cpu", allow: Iterable[str] = ()) -> "VAE":
    """Return the trained model of a run directory or checkpoint, or of the ``latest`` run, in evaluation mode.

    Args:
        path: a run directory, a checkpoint file, or ``latest``.
        device: where to put it.
        allow: modules of your own that its networks come from; they are imported.

    Raises:
        ValueError: when there is no such run or checkpoint, or it is truncated, of another model, or holds more than
            tensors and primitives.
    """
    from vae_lab.config.build import allowing
    from vae_lab.training.assembly import build_model

    file = checkpoint_of(path)
    content = read_checkpoint(file)
    recipe = content["vae_lab"]
    with allowing(allow):
        model, _ = build_model(recipe["config"], tuple(recipe["image_shape"]))
    model.to(content["state_dict"]["kl_weight"].dtype)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise ConfigError(f"{file}: holds the weights of another model than it says, or of an older vae_lab") from error
    return model.eval().requires_grad_(False).to(device)
