"""A folder as huggingface_hub uploads it: model card, weights, config, result, pictures."""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from vae_lab.exporting.card import card
from vae_lab.files import put_whole
from vae_lab.runs.run import Run
from vae_lab.training.weights import WEIGHTS, write_weights

log = logging.getLogger(__name__)

CARD, CONFIG = "README.md", "config.json"
FIGURES = "figures"
SHOWN = ("reconstructions", "samples", "traversals")  # of the figures, in the card's order
DRAWN = SHOWN[:2]  # where the run has none
PLACES = ("root", "path")  # settings of data that name a place on this machine


def write_hub(run: Path, content: Mapping[str, Any], folder: Path, license: str) -> list[Path]:
    """Write the folder; returns its files.

    Where the data lie on this machine stays on it: of a path only the last part is published.
    """
    found = Run.read(run)
    recipe = published(content["vae_lab"])
    write_weights(folder / WEIGHTS, {"state_dict": content["state_dict"], "vae_lab": recipe})
    put_whole(folder / CONFIG, (json.dumps({"library_name": "vae_lab", **recipe}, indent=2) + "\n").encode())
    overrides = {key: last_part(key, value) for key, value in found.result.overrides.items()}
    found = replace(found, result=replace(found.result, overrides=overrides, process=None))
    found.result.write(folder)
    pictures = pictures_of(run, folder / FIGURES)
    text = card(replace(found, directory=run), recipe, [f"{FIGURES}/{file.name}" for file in pictures], license)
    put_whole(folder / CARD, text.encode())
    return [folder / CARD, folder / WEIGHTS, folder / CONFIG, folder / "result.json", *pictures]


def published(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe without places of this machine."""
    data = {name: last_part(f"data.{name}", value) for name, value in recipe["config"]["data"].items()}
    kept = {name: value for name, value in recipe.items() if name != "seconds"}
    return {**kept, "config": {**recipe["config"], "data": data}}


def last_part(key: str, value: Any) -> Any:
    """A setting, of a path to data its last part only.

    Example:
        >>> last_part("data.path", "/home/me/faces.npz"), last_part("model.beta", 4)
        ('faces.npz', 4)
    """
    return PurePath(value).name if key in {f"data.{name}" for name in PLACES} and isinstance(value, str) else value


def pictures_of(run: Path, folder: Path) -> list[Path]:
    """Copies of the run's pictures; drawn now where it has none and the data are at hand."""
    files = [run / FIGURES / f"{name}.png" for name in SHOWN]
    folder.mkdir(exist_ok=True)
    if any(file.is_file() for file in files):
        return [Path(shutil.copy(file, folder)) for file in files if file.is_file()]
    try:
        return draw_pictures(run, folder)
    except (ValueError, ModuleNotFoundError, OSError) as error:
        log.warning("no pictures: %s", error)
        return []


def draw_pictures(run: Path, folder: Path) -> list[Path]:
    """Draw reconstructions and samples.

    Raises:
        ValueError: when the data are no longer there.
        ModuleNotFoundError: when matplotlib is not installed.
    """
    from vae_lab.gallery import Subject, draw
    from vae_lab.training.loading import load

    model, data = load(run, with_data=True)
    return list(draw(Subject(model, data), folder, DRAWN))
