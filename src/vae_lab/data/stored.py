"""Arrays made once from what a person has, kept beside it as .npy files, and read from there, never whole."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from vae_lab.checks import ArgumentError, one_line
from vae_lab.data.arrays import Array, in_place, read_npy
from vae_lab.data.rows import Rows
from vae_lab.files import settle


def stored(file: Path, shape: tuple[int, ...], dtype: type, fill: Callable[[Array], None]) -> Rows:
    """The images (N, H, W) or (N, H, W, C) of an .npy file, which ``fill`` writes where there is none of that shape.

    The file appears whole or not at all, and two processes may make it at once.

    Raises:
        ArgumentError: naming ``root``, when the file cannot be written.

    Example:
        >>> import torch
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     rows = stored(Path(folder) / "a.npy", (10, 4, 4), np.uint8, lambda array: array.fill(7))
        ...     rows.shape, rows.index_select(0, torch.tensor([3])).unique()
        ((10, 1, 4, 4), tensor([7], dtype=torch.uint8))
    """
    if not file.is_file() or read_npy(file).shape != shape:
        write(file, shape, dtype, fill)
    return in_place(read_npy(file))


def write(file: Path, shape: tuple[int, ...], dtype: type, fill: Callable[[Array], None]) -> None:
    """Make the file of ``stored``.

    Raises:
        ArgumentError: when it cannot be written.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        array = np.lib.format.open_memmap(temporary, "w+", dtype, shape)
        fill(array)
        array.flush()
        del array
        settle(temporary, file)
    except OSError as error:
        problem = f"{file.name} cannot be written there ({one_line(error)}); name a folder that can, by data.root=DIR"
        raise ArgumentError("root", file.parent, problem) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def missing(root: Path, name: str, advice: str) -> ArgumentError:
    """The complaint that a data root lacks a file, with where to get it."""
    elsewhere = "or name the folder that has it by data.root=DIR or VAE_LAB_DATA=DIR"
    return ArgumentError("root", root, f"holds no {name}; {advice} and put it there as {root / name}, {elsewhere}")
