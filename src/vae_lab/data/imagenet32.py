"""Downsampled ImageNet, in its official .npz batches."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vae_lab.checks import ArgumentError, integer
from vae_lab.data.arrays import Array, read_npz
from vae_lab.data.images import FEWEST, ImageData, Split
from vae_lab.data.stored import missing, stored

ADVICE = "get Imagenet32_train_npz.zip and Imagenet32_val_npz.zip from image-net.org, unpack them"


def batch(file: Path) -> tuple[Array, Array]:
    """The images (N, H, W, 3) and labels (N,), from 0, of an official batch.

    Raises:
        ArgumentError: when it is none.
    """
    arrays, found = read_npz(file, ("data", "labels"))
    data = arrays.get("data")
    side = 0 if data is None or data.ndim != 2 else round((data.shape[1] / 3) ** 0.5)
    if data is None or "labels" not in arrays or data.dtype != np.uint8 or 3 * side**2 != data.shape[1] or not side:
        problem = f"{file.name} holds {', '.join(found)}; must hold data, uint8 (N, 3·H·W), and labels"
        raise ArgumentError("root", file.parent, problem)
    return data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1), arrays["labels"].astype(np.int64) - 1


def copied(files: list[Path], array: Array) -> None:
    """Fill ``array`` with the images of all batches, one after the other."""
    done = 0
    for file in files:
        images, _ = batch(file)
        array[done : done + len(images)] = images
        done += len(images)


class ImageNet32(ImageData):
    """ImageNet at 32x32 (Chrabaszcz et al. 2017), (3, 32, 32) in [0, 1]: 1,231,167 / 50,000 / 50,000.

    The official validation images are the test split here; the last 50,000 training images are for validation. What is
    trained on lies on disk, copied once into ``imagenet32/train.npy`` and ``test.npy``.

    Args:
        root: the data root, with ``train_data_batch_1.npz`` ... and ``val_data.npz`` in ``imagenet32`` below it.
        held_out: training images for validation.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: when there are too few images to hold so many out.
    """

    def __init__(self, root: str = "data", held_out: int = 50_000, **options: Any) -> None:
        self.folder = Path(str(root)).expanduser() / "imagenet32"
        self.held_out = integer("held_out", held_out, low=FEWEST)
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        train = sorted(self.folder.glob("train_data_batch_*.npz"), key=lambda file: (len(file.name), file.name))
        for name, there in (("train_data_batch_1.npz", bool(train)), ("val_data.npz", True)):
            if not there or not (self.folder / name).is_file():
                raise missing(self.folder, name, ADVICE)
        whole, test = self.read("train", train), self.read("test", [self.folder / "val_data.npz"])
        cut = len(whole.images) - self.held_out
        if cut < FEWEST:
            raise ArgumentError("held_out", self.held_out, f"leaves {cut} of {len(whole.images)} images to train on")
        order = torch.arange(len(whole.images))
        return {"train": whole.part(order[:cut]), "val": whole.part(order[cut:]), "test": test}

    def read(self, name: str, files: list[Path]) -> Split:
        """The images and labels of some batches, the images on disk."""
        labels = np.concatenate([batch(file)[1] for file in files])
        side = batch(files[0])[0].shape[1]
        shape = (len(labels), side, side, 3)
        return Split(stored(self.folder / f"{name}.npy", shape, np.uint8, partial(copied, files)), torch.tensor(labels))
