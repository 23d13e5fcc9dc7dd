"""Trained models back from disk. A checkpoint is data: loading one never runs code that it brings."""

import pickle
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import torch

from vae_lab.checks import ArgumentError
from vae_lab.runs.find import find_run
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.runs.result import Result
from vae_lab.training.weights import SUFFIX, WEIGHTS, read_weights

if TYPE_CHECKING:
    from vae_lab.data import ImageData
    from vae_lab.models import VAE

CHECKPOINT_FORMAT = 2  # of the recipe, and of the weights' names; 0.1.0 had no number
PARTS = ("model", "encoder", "decoder", "likelihood", "optimizer", "data", "metrics", "trainer")  # of a config
SETTINGS = ("seed", "threads", "epochs")


def recipe_of(config: Mapping[str, Any], image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """What a checkpoint says, beside its weights, of the model that it holds."""
    return {"format": CHECKPOINT_FORMAT, "config": dict(config), "image_shape": list(image_shape)}


def checkpoint_of(path: str | Path) -> Path:
    """The checkpoint that a person means: a file, a run directory, an exported folder, or ``latest``.

    Raises:
        ArgumentError: when there is none.
    """
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if (file / WEIGHTS).is_file():
        return file / WEIGHTS
    run = find_run(str(path))
    result = Result.read(run)
    found = run / CHECKPOINTS / (result.checkpoint or "last.ckpt")
    if not found.is_file():
        raise ArgumentError("run", run, f"has no checkpoint (status {result.status}: {result.reason})")
    return found


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint of tensors and primitives.

    Raises:
        ArgumentError: when it is truncated, holds anything else, or was not written by this vae_lab.
    """
    try:
        content = read_weights(file) if file.suffix == SUFFIX else unpickled(file)
    except pickle.UnpicklingError as error:
        problem = "refused, it holds more than tensors and primitives or is no checkpoint"
        raise ArgumentError("path", file, problem) from error
    except (OSError, EOFError, RuntimeError, KeyError, ValueError, zipfile.BadZipFile) as error:
        problem = f"cannot be read, truncated or no checkpoint ({type(error).__name__})"
        raise ArgumentError("path", file, problem) from error
    recipe = content.get("vae_lab") if isinstance(content, dict) else None
    if not isinstance(recipe, dict) or "config" not in recipe or "state_dict" not in content:
        raise ArgumentError("path", file, "was not written by vae_lab: it does not say which model it holds")
    if "format" not in recipe:
        raise ArgumentError("path", file, "a checkpoint of vae_lab 0.1.0, which no longer loads; train it again")
    if recipe["format"] != CHECKPOINT_FORMAT:
        found = f"has checkpoint format {recipe['format']}, this vae_lab loads format {CHECKPOINT_FORMAT}"
        raise ArgumentError("path", file, found)
    if missing := lacking(content):
        raise ArgumentError("path", file, f"lacks {', '.join(missing)}: it is damaged, or of another vae_lab")
    return dict(content)


def unpickled(file: Path) -> Any:
    """What a checkpoint of torch holds; tensors and primitives only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)  # what it holds is refused by torch
        return torch.load(file, map_location="cpu", weights_only=True)


def lacking(content: Mapping[str, Any]) -> list[str]:
    """The entries that a checkpoint of ours has and this one has not, or not of their kind."""
    recipe, config = content["vae_lab"], content["vae_lab"]["config"]
    shape = recipe.get("image_shape")
    whole = isinstance(shape, (list, tuple)) and len(shape) == 3 and all(isinstance(n, int) for n in shape)
    missing = [] if whole else ["image_shape"]
    known = config if isinstance(config, Mapping) else {}
    missing += [f"config.{part}" for part in PARTS if not isinstance(known.get(part), Mapping)]
    missing += [f"config.{name}" for name in SETTINGS if name not in known]
    weights = content["state_dict"]
    kl_weight = weights.get("kl_weight") if isinstance(weights, Mapping) else None
    return missing + ([] if isinstance(kl_weight, torch.Tensor) else ["state_dict.kl_weight"])


@overload
def load(
    path: str | Path,
    device: str | torch.device = ...,
    allow: Iterable[str] = ...,
    with_data: Literal[False] = ...,
) -> "VAE": ...


@overload
def load(
    path: str | Path, device: str | torch.device = ..., allow: Iterable[str] = ..., *, with_data: Literal[True]
) -> "tuple[VAE, ImageData]": ...


def load(
    path: str | Path, device: str | torch.device = "cpu", allow: Iterable[str] = (), with_data: bool = False
) -> "VAE | tuple[VAE, ImageData]":
    """Return the trained model of a run directory or checkpoint, or of the ``latest`` run, in evaluation mode.

    It has the precision that it was trained in; what it encodes and decodes may have any. Of a perceptual term it has
    λ and not the features, so that its loss is the one without that term.

    Args:
        path: a run directory, a checkpoint, a ``.safetensors`` file or the folder that has it, or ``latest``.
        device: where to put it.
        allow: modules of your own that its networks come from; they are imported.
        with_data: return the run's data too, read anew: ``(model, data)``.

    Raises:
        ArgumentError: when there is no such run or checkpoint, or it is truncated, of another model, or holds more than
            tensors and primitives.
        ConfigError: when its data are no longer there.

    Example:
        >>> import tempfile
        >>> from vae_lab.config.compose import compose_config
        >>> from vae_lab.training.run import execute
        >>> config = compose_config(["trainer.max_steps=2", "trainer.val_check_interval=1", "metrics.test.nll.k=0"])
        >>> with tempfile.TemporaryDirectory() as run:
        ...     result = execute(config, Path(run), overrides={})
        ...     model, data = load(run, with_data=True)
        >>> model.sample(3).shape
        torch.Size([3, 1, 8, 8])
        >>> x, _, labels, _ = next(data.eval_stream("test"))
        >>> model.encode(x).mean.shape, labels.shape
        (torch.Size([300, 4]), torch.Size([300]))
    """
    from vae_lab.config.build import allowing, build
    from vae_lab.data import ImageData

    file = checkpoint_of(path)
    content = read_checkpoint(file)
    config = content["vae_lab"]["config"]
    with allowing(allow):
        model = model_of(file, content).to(device)
        if not with_data:
            return model
        return model, build(config["data"], "data", ImageData, seed=config["seed"])


def model_of(file: Path, content: Mapping[str, Any]) -> "VAE":
    """The model that a checkpoint holds, in evaluation mode.

    Raises:
        ArgumentError: when its weights are not those of the model that it describes.
    """
    from vae_lab.training.assembly import build_model

    recipe = content["vae_lab"]
    model, _ = build_model(recipe["config"], tuple(recipe["image_shape"]))
    model.to(content["state_dict"]["kl_weight"].dtype)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        problem = "holds the weights of another model than it says, or of an older vae_lab"
        raise ArgumentError("path", file, problem) from error
    return model.eval().requires_grad_(False)
