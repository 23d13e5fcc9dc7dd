"""MNIST as Larochelle binarised it, once for all."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vae_lab.checks import ArgumentError, one_line
from vae_lab.data.images import ImageData, Split
from vae_lab.data.stored import missing

FILE = "binarized_mnist/binarized_mnist.npz"
ADVICE = "make it of Larochelle's binarisation (uint8 arrays train, valid and test of 0 and 1)"
ARRAYS = {"train": ("train", 50_000), "val": ("valid", 10_000), "test": ("test", 10_000)}


@lru_cache(maxsize=1)  # a sweep over data sets keeps no more than the last one
def load(root: str, modified_ns: int) -> dict[str, Split]:
    """Read and check the arrays. ``modified_ns`` only keeps the cache true when the file changes.

    Raises:
        ValueError: when the file is no whole .npz, or its arrays are not those of the set; says what is wrong.
    """
    try:
        with (Path(root) / FILE).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name, _ in ARRAYS.values() if name in archive.files}
            found = ", ".join(archive.files) or "nothing"
    except Exception as error:  # zipfile, zlib, lzma, numpy and the file system each have their own
        raise ArgumentError("root", root, f"{FILE} is no readable .npz file ({one_line(error)})") from error
    splits = {}
    for part, (name, count) in ARRAYS.items():
        if name not in arrays:
            needed = ", ".join(name for name, _ in ARRAYS.values())
            raise ArgumentError("root", root, f"{FILE} holds {found}; must hold {needed}")
        array = arrays[name]
        if array.shape != (count, 784) or array.dtype != np.uint8:
            raise ArgumentError(
                "root", root, f"{name} of {FILE} is {array.dtype} {array.shape}; must be uint8 ({count}, 784)"
            )
        if array.max() > 1:
            raise ArgumentError("root", root, f"{name} of {FILE} holds values up to {array.max()}; must be 0 and 1")
        splits[part] = Split(torch.from_numpy(array * np.uint8(255)).view(count, 1, 28, 28))
    return splits


class BinarizedMNIST(ImageData):
    """The fixed binarisation of MNIST (Larochelle & Murray 2011), (1, 28, 28), 0 and 1: 50,000 / 10,000 / 10,000.

    Published NLLs of "binarised MNIST" refer either to this set or to dynamic binarisation (``data=mnist
    data.binarize=dynamic``), and compare only with those of the same. The set has no labels. Its test split is sorted
    by digit: the first images are no sample of it.

    Args:
        root: the data root; the file is ``binarized_mnist/binarized_mnist.npz`` below it.
        options: the arguments of ``ImageData``; ``binarize`` changes nothing here.
    """

    def __init__(self, root: str = "data", **options: Any) -> None:
        self.root = Path(str(root)).expanduser()
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        file = self.root / FILE
        if not file.is_file():
            raise missing(self.root, FILE, ADVICE)
        return dict(load(str(self.root), file.stat().st_mtime_ns))
