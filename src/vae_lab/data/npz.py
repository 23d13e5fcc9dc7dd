"""A person's own arrays: an .npz or .mat file in memory, or .npy files that stay on disk."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from vae_lab.checks import ArgumentError
from vae_lab.data.arrays import Array, files_of, read_arrays, read_images, read_whole_numbers
from vae_lab.data.images import ImageData, Split, random_split, tenths

IMAGE_NAMES = {
    "all": ("images", "x", "data"),
    "train": ("x_train", "train", "train_images"),
    "val": ("x_val", "x_valid", "val", "valid", "val_images"),
    "test": ("x_test", "test", "test_images"),
}
LABEL_NAMES = {
    "all": ("labels", "y"),
    "train": ("y_train", "train_labels"),
    "val": ("y_val", "y_valid", "val_labels"),
    "test": ("y_test", "test_labels"),
}
FACTOR_NAMES = {
    "all": ("factors",),
    "train": ("factors_train", "train_factors"),
    "val": ("factors_val", "factors_valid", "val_factors"),
    "test": ("factors_test", "test_factors"),
}
KNOWN = {name for table in (IMAGE_NAMES, LABEL_NAMES, FACTOR_NAMES) for names in table.values() for name in names}


@lru_cache(maxsize=1)
def load(path: Path, modified_ns: tuple[int, ...]) -> dict[str, Split]:
    """Read, check and split the arrays. ``modified_ns`` only keeps the cache true when a file changes.

    Raises:
        ArgumentError: when a file is not whole, or its arrays are no images; says what is wrong.
    """
    arrays, found = read_arrays(path, KNOWN)
    splits = {part: read_split(path, arrays, part) for part in IMAGE_NAMES}
    if (everything := splits["all"]) is not None:
        return random_split(everything, tenths(len(everything.images), path))
    if (train := splits["train"]) is None:
        names = ", ".join(IMAGE_NAMES["all"] + IMAGE_NAMES["train"])
        raise ArgumentError("path", path, f"holds {', '.join(found) or 'nothing'}; needs images under one of: {names}")
    missing = [part for part in ("val", "test") if splits[part] is None]
    sizes = tenths(len(train.images), path, missing)
    whole = {part: split for part, split in splits.items() if split is not None}
    return check_alike(path, {**whole, **random_split(train, sizes)})


def read_split(path: Path, arrays: Mapping[str, Array], part: str) -> Split | None:
    """The images of one part with their labels and factors, or None where there are no such images."""
    name = next((name for name in IMAGE_NAMES[part] if name in arrays), None)
    if name is None:
        return None
    images = read_images(path, name, arrays[name])

    def read(names: tuple[str, ...], *shape: int) -> Tensor | None:
        found = next((name for name in names if name in arrays), None)
        return None if found is None else read_whole_numbers(path, found, arrays[found], shape)

    return Split(images, read(LABEL_NAMES[part], len(images)), read(FACTOR_NAMES[part], len(images), -1))


def check_alike(path: Path, splits: dict[str, Split]) -> dict[str, Split]:
    """Return the splits when all hold images of one shape and type, else raise ``ArgumentError``."""
    kinds = {(tuple(split.images.shape[1:]), split.images.dtype) for split in splits.values()}
    if len(kinds) > 1:
        shapes = ", ".join(f"{part} {tuple(s.images.shape[1:])} {s.images.dtype}" for part, s in splits.items())
        raise ArgumentError("path", path, f"the splits differ: {shapes} (C, H, W); must be alike")
    return splits


class Npz(ImageData):
    """Images from NumPy's files, an .npz file, an .npy file or a folder of .npy files, or from Matlab's .mat file.

    Either one array ``images`` (N,H,W) or (N,H,W,C), cut 80/10/10 by a fixed permutation, with optional ``labels`` (N,)
    and ``factors`` (N,F), whole numbers; or ``x_train`` with optional ``x_val``, ``x_test`` and ``y_...`` and
    ``factors_...``; a split that is missing is a tenth of x_train. uint8 is read as 0..255, bool as 0 and 1, float as
    it is.

    An .npz or .mat file is read into memory. The images of .npy files stay on disk (memory-mapped), and only batches
    are read, so that a set may be larger than memory; where ``binarize`` draws a split once, that one is held in memory
    as uint8.

    Args:
        path: the file or folder.
        options: the arguments of ``ImageData``.

    Raises:
        ArgumentError: when there is no such file, or it holds no images.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.save(folder / "images.npy", np.zeros((100, 8, 8), np.uint8))
        >>> np.save(folder / "factors.npy", np.arange(200).reshape(100, 2))
        >>> next(Npz(folder, batch_size=20).train_stream(1)).factors.shape
        torch.Size([20, 2])
    """

    def __init__(self, path: str | Path, **options: Any) -> None:
        self.path = Path(str(path)).expanduser()
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        if not self.path.exists():
            allowed = "no such file; data=npz needs data.path=FILE.npz, FILE.npy, FILE.mat or a folder of .npy files"
            raise ArgumentError("path", self.path, allowed)
        modified_ns = tuple(file.stat().st_mtime_ns for file in files_of(self.path))
        return dict(load(self.path, modified_ns))
