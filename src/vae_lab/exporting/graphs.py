"""Encoder and decoder as graphs: ONNX, and PyTorch's own exported programs. Any batch size."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from vae_lab.exporting.halves import Half
from vae_lab.files import put_whole

NEEDED = ("onnx", "onnxscript")


def program_of(half: Half) -> torch.export.ExportedProgram:
    """A half as a graph of PyTorch's operators."""
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in half.inputs)
    with torch.no_grad():
        return torch.export.export(half.module, tuple(half.inputs.values()), dynamic_shapes=shapes, strict=False)


def write_program(half: Half, folder: Path) -> Path:
    """Write a half as ``NAME.pt2``, which ``torch.export.load`` reads."""
    content, file = io.BytesIO(), folder / f"{half.name}.pt2"
    with quiet():
        torch.export.save(program_of(half), content)
    put_whole(file, content.getvalue())
    return file


def write_onnx(half: Half, folder: Path) -> Path:
    """Write a half as ``NAME.onnx``, weights included.

    Raises:
        ValueError: when a package that it needs is not installed.
    """
    for package in NEEDED:
        if not find_spec(package):
            raise ValueError(f"{package} is not installed; pip install 'vae_lab[export]'")
    file, batch = folder / f"{half.name}.onnx", torch.export.Dim("batch")
    with quiet():
        exported = torch.onnx.export(
            half.module,
            tuple(half.inputs.values()),
            dynamic_shapes=tuple({0: batch} for _ in half.inputs),
            input_names=list(half.inputs),
            output_names=list(half.outputs),
            dynamo=True,
            verbose=False,
        )
    assert exported is not None
    put_whole(file, exported.model_proto.SerializeToString())
    return file


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which the exporters keep their advice to themselves; what fails still raises."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
