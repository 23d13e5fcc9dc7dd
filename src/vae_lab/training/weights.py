"""Weights as safetensors, with the recipe of their model in the file's own header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_lab.checks import ArgumentError
from vae_lab.files import put_whole

SUFFIX = ".safetensors"
WEIGHTS = f"model{SUFFIX}"
RECIPE = "vae_lab"  # the header's entry
MISSING = "safetensors is not installed; pip install 'vae_lab[export]'"


def write_weights(file: Path, content: Mapping[str, Any]) -> None:
    """Write the weights of a checkpoint, and what it says of its model.

    Args:
        file: where to.
        content: of a checkpoint.

    Raises:
        ValueError: when safetensors is not installed.
    """
    try:
        from safetensors.torch import save
    except ModuleNotFoundError:
        raise ValueError(MISSING) from None
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in content["state_dict"].items()}
    header = {"format": "pt", RECIPE: json.dumps(content[RECIPE], allow_nan=True)}
    put_whole(file, save(tensors, metadata=header))


def read_weights(file: Path) -> dict[str, Any]:
    """Read what ``write_weights`` has written, as a checkpoint has it; files of others have no recipe.

    Raises:
        ArgumentError: when the file is broken.
        ValueError: when safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError:
        raise ValueError(MISSING) from None
    try:
        with safe_open(file, framework="pt") as opened:
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  it is no mapping
            header = opened.metadata() or {}
        recipe = json.loads(header[RECIPE]) if RECIPE in header else None
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ArgumentError("path", file, f"cannot be read, truncated or no safetensors file ({error})") from error
    return {"state_dict": weights, RECIPE: recipe}
