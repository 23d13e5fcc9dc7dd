"""CelebA: aligned faces with forty attributes, cut and resized once."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import datasets

from vae_lab.checks import ArgumentError, integer, one_line
from vae_lab.data.arrays import Array
from vae_lab.data.images import ImageData, Split
from vae_lab.data.stored import stored

ADVICE = (
    "get img_align_celeba and the files list_*.txt and identity_CelebA.txt from "
    "mmlab.ie.cuhk.edu.hk/projects/CelebA.html and put them into {folder}, "
    "or name the folder that holds celeba/ by data.root=DIR or VAE_LAB_DATA=DIR"
)
PARTS = {"train": "train", "val": "valid", "test": "test"}


def faces(files: list[Path], crop: int, size: int, array: Array) -> None:
    """Fill ``array`` (N, size, size, 3) with the middle ``crop`` x ``crop`` pixels of the pictures, resized."""
    for i, file in enumerate(files):
        with Image.open(file) as picture:
            left, top = (picture.width - crop) // 2, (picture.height - crop) // 2
            cut = picture.convert("RGB").crop((left, top, left + crop, top + crop))
            array[i] = np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))


class CelebA(ImageData):
    """CelebA (Liu et al. 2015), (3, size, size) in [0, 1], in its official splits: 162,770 / 19,867 / 19,962.

    Its forty attributes, 0 or 1, are the factors. The faces are cut and resized once, into ``.npy`` files beside the
    pictures, and stay on disk.

    Args:
        root: the data root as torchvision lays it out: ``celeba/img_align_celeba`` and the lists beside it.
        size: height and width.
        crop: how many pixels, from the middle of the 218x178, are kept before that.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: when the files are not there whole; says where to get them.
    """

    def __init__(self, root: str = "data", size: int = 64, crop: int = 148, **options: Any) -> None:
        self.root = Path(str(root)).expanduser()
        self.size, self.crop = integer("size", size), integer("crop", crop)
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        return {name: self.read(part) for name, part in PARTS.items()}

    def read(self, part: str) -> Split:
        """One official split."""
        folder = self.root / "celeba"
        try:
            found = datasets.CelebA(str(self.root), split=part)
        except Exception as error:  # torchvision raises whatever csv or its own checks raise
            problem = f"CelebA is not there whole ({one_line(error)}); {ADVICE.format(folder=folder.absolute())}"
            raise ArgumentError("root", self.root, problem) from error
        files = [folder / "img_align_celeba" / name for name in found.filename]
        shape = (len(files), self.size, self.size, 3)
        file = folder / f"{part}_{self.size}_of_{self.crop}.npy"
        images = stored(file, shape, np.uint8, partial(faces, files, self.crop, self.size))
        return Split(images, factors=torch.as_tensor(found.attr).long())
