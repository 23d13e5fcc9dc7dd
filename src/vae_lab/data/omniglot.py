"""Omniglot: 1,623 handwritten characters of 50 alphabets, in Lake's files or in Burda's."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vae_lab.checks import ArgumentError, choice, integer
from vae_lab.data.arrays import read_mat
from vae_lab.data.images import FEWEST, Split
from vae_lab.data.stored import missing
from vae_lab.data.torchvision_sets import Options, TorchvisionData

FILE = "omniglot/chardata.mat"
BURDA = "get chardata.mat from github.com/yburda/iwae (datasets/OMNIGLOT)"
HELD_OUT = {"burda": 1_345, "lake": 1_000}  # of the training images; Burda's 24,345 leave 23,000


@lru_cache(maxsize=1)
def load(root: Path, modified_ns: int) -> dict[str, Split]:
    """Burda's split (Burda et al. 2016). ``modified_ns`` only keeps the cache true when the file changes.

    Raises:
        ArgumentError: when the file does not hold that set.
    """
    arrays, found = read_mat(root / FILE, ("data", "testdata", "target", "testtarget"))
    splits = {}
    for part, images, alphabets in (("train", "data", "target"), ("test", "testdata", "testtarget")):
        flat = arrays.get(images)
        if flat is None or flat.ndim != 2 or len(flat) != 784:
            raise ArgumentError("root", root, f"{FILE} holds {', '.join(found)}; must hold data and testdata, (784, N)")
        pixels = (flat.T.astype(np.float64) * 255).round().astype(np.uint8).reshape(-1, 1, 28, 28)
        labels = torch.from_numpy(arrays[alphabets].argmax(0)) if alphabets in arrays else None  # of 50 alphabets
        splits[part] = Split(torch.from_numpy(np.ascontiguousarray(pixels.swapaxes(2, 3))), labels)
    cut = len(splits["train"].images) - min(HELD_OUT["burda"], len(splits["train"].images) // 2)
    if cut < FEWEST:
        raise ArgumentError("root", root, f"{FILE} holds too few images")
    order = torch.arange(len(splits["train"].images))
    return splits | {"train": splits["train"].part(order[:cut]), "val": splits["train"].part(order[cut:])}


class Omniglot(TorchvisionData):
    """Omniglot (Lake et al. 2015), (1, size, size) in [0, 1], ink 1.

    Args:
        version: ``burda``, 28x28, 23,000 / 1,345 / 8,070, the set that published likelihoods refer to (Burda et al.
            2016), labelled by alphabet; or ``lake``, the original drawings of 105x105: background alphabets train,
            evaluation alphabets test, labelled by character. Their likelihoods do not compare.
        root: the data root: Burda's file is ``omniglot/chardata.mat`` below it, Lake's as torchvision lays them out.
        size: height and width that Lake's drawings are brought to, by the mean over boxes.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: for an unknown version.
    """

    dataset, held_out = "Omniglot", HELD_OUT["lake"]

    def __init__(self, version: str = "burda", root: str = "data", size: int = 28, **options: Any) -> None:
        self.version, self.size = choice("version", version, HELD_OUT), integer("size", size)
        super().__init__(root, **options)

    @property
    def parts(self) -> tuple[Options, Options]:
        return (("background", True),), (("background", False),)

    def load(self) -> dict[str, Split]:
        if self.version == "lake":
            return super().load()
        root = Path(self.root).expanduser()
        if not (root / FILE).is_file():
            raise missing(root, FILE, BURDA)
        return dict(load(root, (root / FILE).stat().st_mtime_ns))
