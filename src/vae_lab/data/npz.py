"""A person's own arrays from one .npz file."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lab.checks import ArgumentError
from vae_lab.data.images import FEWEST, ImageData, Split, random_split, tenths

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


@cache
def load(path: str, modified_ns: int) -> dict[str, Split]:
    """Read, check and split the arrays. ``modified_ns`` only keeps the cache true when the file changes.

    Raises:
        ValueError: when the file is no whole .npz, or its arrays are no images; says what is wrong.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            wanted = {name for table in (IMAGE_NAMES, LABEL_NAMES) for names in table.values() for name in names}
            arrays = {name: archive[name] for name in archive.files if name in wanted}
            found = archive.files
    except Exception as error:  # zipfile, zlib, lzma, numpy and the file system each have their own
        raise ArgumentError("path", path, f"is no readable .npz file ({type(error).__name__}: {error})") from error
    splits = {part: read_split(path, arrays, part) for part in IMAGE_NAMES}
    if (everything := splits["all"]) is not None:
        return random_split(everything, tenths(len(everything.images)))
    if (train := splits["train"]) is None:
        names = ", ".join(IMAGE_NAMES["all"] + IMAGE_NAMES["train"])
        raise ArgumentError("path", path, f"holds {', '.join(found) or 'nothing'}; needs images under one of: {names}")
    missing = [part for part in ("val", "test") if splits[part] is None]
    held_out = {part: max(len(train.images) // 10, FEWEST) for part in missing}
    sizes = {"train": len(train.images) - sum(held_out.values()), **held_out}
    whole = {part: split for part, split in splits.items() if split is not None}
    return check_alike(path, {**whole, **random_split(train, sizes)})


def read_split(path: str, arrays: dict[str, np.ndarray], part: str) -> Split | None:
    """The images and labels of one part of the file, or None where it has no such images."""
    name = next((name for name in IMAGE_NAMES[part] if name in arrays), None)
    if name is None:
        return None
    images = read_images(path, name, arrays[name])
    label_name = next((name for name in LABEL_NAMES[part] if name in arrays), None)
    if label_name is None:
        return Split(images)
    labels = arrays[label_name]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ArgumentError(
            "path", path, f"{label_name} is {labels.dtype} {labels.shape}; must be whole numbers ({len(images)},)"
        )
    return Split(images, torch.from_numpy(labels.astype(np.int64)))


def read_images(path: str, name: str, array: np.ndarray) -> Tensor:
    """Check an array (N, H, W) or (N, H, W, C) and return it as (N, C, H, W), uint8 or float32."""
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise ArgumentError("path", path, f"{name} is {array.dtype}; must be uint8 (0..255), bool or float")
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 2, 3, 4)) or 0 in array.shape:
        raise ArgumentError(
            "path", path, f"{name} has shape {array.shape}; must be (N,H,W) or (N,H,W,C) with C at most 4"
        )
    if len(array) < FEWEST:
        raise ArgumentError("path", path, f"{name} holds {len(array)} images; must be at least {FEWEST}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ArgumentError("path", path, f"{name} holds NaN or infinite values in {bad_images(array)} images")
    images = torch.from_numpy(array if array.dtype == np.uint8 else array.astype(np.float32))
    return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()


def bad_images(array: np.ndarray) -> int:
    """How many images hold a value that is not finite."""
    return int((~np.isfinite(array)).reshape(len(array), -1).any(1).sum())


def check_alike(path: str, splits: dict[str, Split]) -> dict[str, Split]:
    """Return the splits when all hold images of one shape and type, else raise ``ValueError``."""
    kinds = {(tuple(split.images.shape[1:]), split.images.dtype) for split in splits.values()}
    if len(kinds) > 1:
        shapes = ", ".join(f"{part} {tuple(s.images.shape[1:])} {s.images.dtype}" for part, s in splits.items())
        raise ArgumentError("path", path, f"the splits differ: {shapes} (C, H, W); must be alike")
    return splits


class Npz(ImageData):
    """Images from an .npz file.

    Either one array ``images`` (N,H,W) or (N,H,W,C), cut 80/10/10 by a fixed permutation, with optional ``labels``;
    or ``x_train`` with optional ``x_val``, ``x_test`` and ``y_...``; a split that is missing is a tenth of x_train.
    uint8 is read as 0..255, bool as 0 and 1, float as it is.

    Args:
        path: the file.
        options: the arguments of ``ImageData``.
    """

    def __init__(self, path: str, **options: Any) -> None:
        self.path = Path(str(path)).expanduser()
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        if not self.path.is_file():
            raise ArgumentError("path", self.path, "no such file; data=npz needs data.path=FILE.npz")
        return dict(load(str(self.path), self.path.stat().st_mtime_ns))
