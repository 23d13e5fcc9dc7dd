"""The formats by name, and what each writes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_lab.checks import choice
from vae_lab.exporting.graphs import write_onnx, write_program
from vae_lab.exporting.halves import Half, halves
from vae_lab.exporting.hub import write_hub
from vae_lab.training.loading import checkpoint_of, model_of, read_checkpoint
from vae_lab.training.weights import WEIGHTS, write_weights


@dataclass(frozen=True)
class Wanted:
    """What to export.

    Args:
        run: a run directory.
        folder: where to.
        license: that a published model is given; empty where its owner has not said.
    """

    run: Path
    folder: Path
    license: str = ""

    @property
    def content(self) -> dict[str, Any]:
        """The checkpoint that the run's figures come from."""
        return read_checkpoint(checkpoint_of(self.run))


def safetensors(wanted: Wanted) -> list[Path]:
    """The weights with their recipe in one file."""
    file = wanted.folder / WEIGHTS
    write_weights(file, wanted.content)
    return [file]


def each_half(wanted: Wanted, write: Callable[[Half, Path], Path]) -> list[Path]:
    """Encoder and decoder, a file each."""
    content = wanted.content
    model = model_of(checkpoint_of(wanted.run), content)
    channels, height, width = content["vae_lab"]["image_shape"]
    return [write(half, wanted.folder) for half in halves(model, (channels, height, width))]


def onnx(wanted: Wanted) -> list[Path]:
    """Encoder and decoder as ONNX."""
    return each_half(wanted, write_onnx)


def torch_export(wanted: Wanted) -> list[Path]:
    """Encoder and decoder as exported programs of PyTorch."""
    return each_half(wanted, write_program)


def hub_folder(wanted: Wanted) -> list[Path]:
    """A folder as huggingface_hub uploads it."""
    return write_hub(wanted.run, wanted.content, wanted.folder, wanted.license)


FORMATS: dict[str, Callable[[Wanted], list[Path]]] = {
    "safetensors": safetensors,
    "onnx": onnx,
    "torch_export": torch_export,
    "hub_folder": hub_folder,
}


def export(
    run: Path, format: str, folder: Path | None = None, license: str = "", allow: Iterable[str] = ()
) -> list[Path]:
    """Write the model of a run in a format; returns the files.

    Args:
        run: a run directory.
        format: one of ``FORMATS``.
        folder: where to; ``RUN/export`` by default.
        license: that a ``hub_folder`` names.
        allow: modules of your own that the model's networks come from.

    Raises:
        ValueError: for a format that there is not, for a run without a checkpoint, and when a package is missing.
    """
    from vae_lab.config.build import allowing

    write = FORMATS[choice("format", format, FORMATS)]
    folder = folder or run / "export"
    folder.mkdir(parents=True, exist_ok=True)
    with allowing(allow):
        return write(Wanted(run, folder, license))
