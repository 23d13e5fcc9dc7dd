"""MNIST and its like, SVHN and CIFAR-10 through torchvision's own classes, moved into memory whole."""

import contextlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import datasets

from vae_lab.checks import ArgumentError, choice
from vae_lab.data.images import FEWEST, ImageData, Split

ADVICE = {
    "MNIST": "put the four .gz files of MNIST into {root}/MNIST/raw",
    "FashionMNIST": "put the four .gz files of FashionMNIST into {root}/FashionMNIST/raw",
    "KMNIST": "get the four .gz files from codh.rois.ac.jp/kmnist and put them into {root}/KMNIST/raw",
    "EMNIST": "get gzip.zip from nist.gov/itl/products-and-services/emnist-dataset and unpack its files into "
    "{root}/EMNIST/raw",
    "SVHN": "get train_32x32.mat and test_32x32.mat from ufldl.stanford.edu/housenumbers and put them into {root}",
    "Omniglot": "get images_background.zip and images_evaluation.zip from github.com/brendenlake/omniglot and unpack "
    "them, keeping the .zip files, in {root}/omniglot-py",
    "CIFAR10": "put cifar-10-python.tar.gz into {root}",
}
Options = tuple[tuple[str, Any], ...]  # arguments of a torchvision class, as what a cache can hold


@lru_cache(maxsize=1)  # a sweep over data sets keeps no more than the last one
def load(name: str, root: str, held_out: int, parts: tuple[Options, Options], size: int | None) -> dict[str, Split]:
    """Train and test as published, opened with ``parts``; the last ``held_out`` training images are for validation.

    Raises:
        ValueError: when the files are not there and cannot be downloaded, or are corrupt; says what to do.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), no_empty_folders(Path(root, name, "raw")):
            kind = getattr(datasets, name)
            train, test = (tensors(kind(root, download=True, **dict(part)), size) for part in parts)
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
    if cut < FEWEST:
        raise ArgumentError("root", root, f"{name} holds {len(images)} training images; {held_out} are for validation")
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


def tensors(dataset: Any, size: int | None) -> tuple[Tensor, Tensor]:
    """All images (N, C, H, W) as uint8 and labels (N,) of a torchvision data set.

    What it keeps as files is read as drawings, black on white, brought to ``size`` by the mean over boxes, ink white.
    """
    if not hasattr(dataset, "data"):
        drawings = [np.asarray(image.resize((size, size), Image.Resampling.BOX)) for image, _ in dataset]
        labels = [label for _, label in dataset._flat_character_images]
        return 255 - torch.from_numpy(np.stack(drawings)).unsqueeze(1), torch.tensor(labels)
    images = torch.as_tensor(dataset.data)
    if images.ndim == 3:
        images = images.unsqueeze(1)
    elif images.shape[1] != 3:
        images = images.permute(0, 3, 1, 2)
    labels = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    return images.contiguous(), torch.as_tensor(labels)


def upright(split: Split) -> Split:
    """The images of a split with rows and columns exchanged."""
    assert isinstance(split.images, Tensor)
    return split._replace(images=split.images.mT.contiguous())


class TorchvisionData(ImageData):
    """Base of the sets that torchvision knows.

    Args:
        root: the data root as torchvision lays it out.
        options: the arguments of ``ImageData``.
    """

    dataset: str
    held_out: int
    size: int | None = None

    def __init__(self, root: str = "data", **options: Any) -> None:
        self.root = root
        super().__init__(**options)

    @property
    def parts(self) -> tuple[Options, Options]:
        """What torchvision's class is opened with, for training and for test."""
        return (("train", True),), (("train", False),)

    def load(self) -> dict[str, Split]:
        return dict(load(self.dataset, str(Path(self.root).expanduser()), self.held_out, self.parts, self.size))


class MNIST(TorchvisionData):
    """MNIST (LeCun et al. 1998), (1, 28, 28) in [0, 1]: 50,000 / 10,000 / 10,000."""

    dataset, held_out = "MNIST", 10_000


class FashionMNIST(TorchvisionData):
    """FashionMNIST (Xiao et al. 2017), (1, 28, 28) in [0, 1]: 50,000 / 10,000 / 10,000."""

    dataset, held_out = "FashionMNIST", 10_000


class KMNIST(TorchvisionData):
    """Kuzushiji-MNIST (Clanuwat et al. 2018), cursive Japanese, (1, 28, 28) in [0, 1]: 50,000 / 10,000 / 10,000."""

    dataset, held_out = "KMNIST", 10_000


class EMNIST(TorchvisionData):
    """EMNIST (Cohen et al. 2017), letters and digits, (1, 28, 28) in [0, 1]; 10,000 training images for validation.

    Its files hold the images transposed; here they stand upright.

    Args:
        part: one of its six sets: ``balanced``, ``letters`` (labels 1 to 26), ``digits``, ``mnist``, ``byclass``,
            ``bymerge``.
        root: the data root as torchvision lays it out.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: for an unknown part.
    """

    dataset, held_out = "EMNIST", 10_000

    def __init__(self, part: str = "balanced", root: str = "data", **options: Any) -> None:
        self.subset = choice("part", part, datasets.EMNIST.splits)
        super().__init__(root, **options)

    @property
    def parts(self) -> tuple[Options, Options]:
        return (("split", self.subset), ("train", True)), (("split", self.subset), ("train", False))

    def load(self) -> dict[str, Split]:
        return {name: upright(split) for name, split in super().load().items()}


class SVHN(TorchvisionData):
    """Street View House Numbers (Netzer et al. 2011), (3, 32, 32) in [0, 1]: 68,257 / 5,000 / 26,032."""

    dataset, held_out = "SVHN", 5_000

    @property
    def parts(self) -> tuple[Options, Options]:
        return (("split", "train"),), (("split", "test"),)


class CIFAR10(TorchvisionData):
    """CIFAR-10 (Krizhevsky 2009), (3, 32, 32) in [0, 1]: 45,000 / 5,000 / 10,000."""

    dataset, held_out = "CIFAR10", 5_000
