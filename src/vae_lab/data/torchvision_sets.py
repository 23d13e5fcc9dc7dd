"""MNIST, FashionMNIST and CIFAR-10 through torchvision's own classes, moved into memory whole."""

import contextlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision import datasets

from vae_lab.checks import ArgumentError
from vae_lab.data.images import ImageData, Split

ADVICE = {
    "MNIST": "put the four .gz files of MNIST into {root}/MNIST/raw",
    "FashionMNIST": "put the four .gz files of FashionMNIST into {root}/FashionMNIST/raw",
    "CIFAR10": "put cifar-10-python.tar.gz into {root}",
}


@lru_cache(maxsize=1)  # a sweep over data sets keeps no more than the last one
def load(name: str, root: str, held_out: int) -> dict[str, Split]:
    """Train and test as published; the last ``held_out`` training images are the validation split.

    Raises:
        ValueError: when the files are not there and cannot be downloaded, or are corrupt; says what to do.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), no_empty_folders(Path(root, name, "raw")):
            train, test = (tensors(getattr(datasets, name)(root, train=part, download=True)) for part in (True, False))
    except Exception as error:  # torchvision raises whatever urllib, gzip, pickle or its own checks raise
        advice = ADVICE[name].format(root=Path(root).absolute())
        raise ArgumentError(
            "root",
            root,
            f"{name} is not there whole and cannot be downloaded "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}); {advice}, "
            "or name the folder that has them by data.root=DIR or VAE_LAB_DATA=DIR",
        ) from error
    (images, labels), cut = train, len(train[0]) - held_out
    return {"train": Split(images[:cut], labels[:cut]), "val": Split(images[cut:], labels[cut:]), "test": Split(*test)}


@contextlib.contextmanager
def no_empty_folders(path: Path) -> Iterator[None]:
    """Remove, when the block fails, what it has left empty of ``path`` and the folders above."""
    new = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    try:
        yield
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):  # not there, or not empty
                folder.rmdir()
        raise


def tensors(dataset: Any) -> tuple[Tensor, Tensor]:
    """All images (N, C, H, W) as uint8 and labels (N,) of a torchvision data set."""
    images = torch.as_tensor(dataset.data)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous(), torch.as_tensor(dataset.targets)


class TorchvisionData(ImageData):
    """Base of the sets that torchvision knows.

    Args:
        root: the data root as torchvision lays it out.
        options: the arguments of ``ImageData``.
    """

    dataset: str
    held_out: int

    def __init__(self, root: str = "data", **options: Any) -> None:
        self.root = root
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        return dict(load(self.dataset, str(Path(self.root).expanduser()), self.held_out))


class MNIST(TorchvisionData):
    """MNIST (LeCun et al. 1998), (1, 28, 28) in [0, 1]: 50,000 / 10,000 / 10,000."""

    dataset, held_out = "MNIST", 10_000


class FashionMNIST(TorchvisionData):
    """FashionMNIST (Xiao et al. 2017), (1, 28, 28) in [0, 1]: 50,000 / 10,000 / 10,000."""

    dataset, held_out = "FashionMNIST", 10_000


class CIFAR10(TorchvisionData):
    """CIFAR-10 (Krizhevsky 2009), (3, 32, 32) in [0, 1]: 45,000 / 5,000 / 10,000."""

    dataset, held_out = "CIFAR10", 5_000
