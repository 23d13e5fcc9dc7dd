"""Arrays of images and what is known of them, from NumPy's and Matlab's files: read whole or left on disk, and checked.

Shapes: N images; F factors of variation; images are stored as (N, H, W) or (N, H, W, C).
"""

import warnings
from collections.abc import Container
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import loadmat
from torch import Tensor

from vae_lab.checks import ArgumentError, one_line
from vae_lab.data.images import FEWEST
from vae_lab.data.rows import Images, Rows, chunks

Array = NDArray[np.generic]


def files_of(path: Path) -> list[Path]:
    """The files that the arrays of a folder, or of an .npz, .npy or .mat file, lie in."""
    return sorted(path.glob("*.npy")) if path.is_dir() else [path]


def read_arrays(path: Path, known: Container[str]) -> tuple[dict[str, Array], list[str]]:
    """The arrays with a known name, and the names of all that there are; those of .npy files stay on disk.

    A single .npy file holds ``images``.

    Raises:
        ArgumentError: when a file is not whole, or holds more than plain arrays.
    """
    if path.suffix == ".npz":
        return read_npz(path, known)
    if path.suffix == ".mat":
        return read_mat(path, known)
    files = {file.stem if path.is_dir() else "images": file for file in files_of(path)}
    return {name: read_npy(file) for name, file in files.items() if name in known}, list(files)


def read_npz(file: Path, known: Container[str]) -> tuple[dict[str, Array], list[str]]:
    """As ``read_arrays``, of an .npz file, in memory."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in known}, archive.files
    except Exception as error:  # zipfile, zlib, lzma, numpy and the file system each have their own
        raise ArgumentError("path", file, f"is no readable .npz file ({one_line(error)})") from error


def read_mat(file: Path, known: Container[str]) -> tuple[dict[str, Array], list[str]]:
    """As ``read_arrays``, of a Matlab file, in memory; a vector is one row or one column there.

    Raises:
        ArgumentError: when it cannot be read; Matlab's own version 7.3 is HDF5.
    """
    try:
        content = loadmat(file)
    except Exception as error:  # scipy, zlib and the file system each have their own
        problem = f"is no readable .mat file up to version 7.2 ({one_line(error)})"
        raise ArgumentError("path", file, problem) from error
    arrays = {name: array for name, array in content.items() if not name.startswith("__")}
    flat = {name: array.ravel() if 1 in array.shape and array.ndim == 2 else array for name, array in arrays.items()}
    return {name: array for name, array in flat.items() if name in known}, list(arrays)


def read_npy(file: Path) -> Array:
    """The array of an .npy file, on disk."""
    try:
        found: Array = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # as for .npz
        raise ArgumentError("path", file, f"is no readable .npy file ({one_line(error)})") from error
    return found


def read_images(path: Path, name: str, array: Array) -> Images:
    """Check an array (N, H, W) or (N, H, W, C) and return it as (N, C, H, W); what is on disk stays there.

    Raises:
        ArgumentError: when it holds no images, too few of them, or numbers that are not finite.
    """
    if array.dtype not in (np.uint8, np.bool_) and array.dtype.kind != "f":
        raise ArgumentError("path", path, f"{name} is {array.dtype}; must be uint8 (0..255), bool or float")
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 2, 3, 4)) or 0 in array.shape:
        raise ArgumentError(
            "path", path, f"{name} has shape {array.shape}; must be (N,H,W) or (N,H,W,C) with C at most 4"
        )
    if len(array) < FEWEST:
        raise ArgumentError("path", path, f"{name} holds {len(array)} images; must be at least {FEWEST}")
    images = in_place(array) if isinstance(array, np.memmap) else in_memory(array)
    if bad := bad_images(images):
        raise ArgumentError("path", path, f"{name} holds NaN or infinite values in {bad} images, read as float32")
    return images


def in_memory(array: Array) -> Tensor:
    """An array of images as uint8, black and white of bool as 0 and 255, or as float32."""
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        images = array if array.dtype == np.uint8 else array.astype(np.float32)
    return channels_first(torch.from_numpy(images)).contiguous()


def in_place(array: Array) -> Rows:
    """A memory-mapped array of images, as it is."""
    with warnings.catch_warnings():  # nothing here writes to it, and a writable map would count as memory
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return Rows(channels_first(torch.from_numpy(array)), torch.arange(len(array)))


def channels_first(images: Tensor) -> Tensor:
    """Images (N, H, W) or (N, H, W, C) as (N, C, H, W), not copied."""
    return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)


def bad_images(images: Images) -> int:
    """How many images hold a value that is not finite."""
    if not images.dtype.is_floating_point:
        return 0
    return sum(int((~part.float().isfinite()).flatten(1).any(1).sum()) for part in chunks(images))


def read_whole_numbers(path: Path, name: str, array: Array, shape: tuple[int, ...]) -> Tensor:
    """Check labels (N,) or factors (N, F) and return them as int64, in memory; -1 in ``shape`` is any length.

    Raises:
        ArgumentError: when they are no whole numbers, or not of that shape.
    """
    fits = array.ndim == len(shape) and all(want in (-1, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in "iu":
        lengths = ", ".join("F" if length == -1 else str(length) for length in shape)
        wanted = f"({lengths},)" if len(shape) == 1 else f"({lengths})"
        raise ArgumentError("path", path, f"{name} is {array.dtype} {array.shape}; must be whole numbers {wanted}")
    return torch.from_numpy(array.astype(np.int64))
