"""Frey's faces: one man's, in a film."""

from pathlib import Path
from typing import Any

import torch

from vae_lab.checks import ArgumentError
from vae_lab.data.arrays import read_mat
from vae_lab.data.images import ImageData, Split, random_split, tenths
from vae_lab.data.stored import missing

FILE = "frey_rawface.mat"
ADVICE = "get it from cs.nyu.edu/~roweis/data.html"
SHAPE = (28, 20)


class FreyFaces(ImageData):
    """1,965 faces (Roweis & Saul 2000), (1, 28, 20) in [0, 1], cut 80/10/10 by a fixed permutation.

    Neighbours in the film are alike, and lie in different splits: likelihoods of the test split flatter.

    Args:
        root: the data root; the file is ``frey_rawface.mat`` below it.
        options: the arguments of ``ImageData``.
    """

    def __init__(self, root: str = "data", **options: Any) -> None:
        self.root = Path(str(root)).expanduser()
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        file = self.root / FILE
        if not file.is_file():
            raise missing(self.root, FILE, ADVICE)
        arrays, found = read_mat(file, ("ff",))
        faces = arrays.get("ff")
        if faces is None or faces.ndim != 2 or len(faces) != SHAPE[0] * SHAPE[1] or faces.dtype.name != "uint8":
            raise ArgumentError("root", self.root, f"{FILE} holds {', '.join(found)}; must hold ff, uint8 (560, N)")
        images = torch.from_numpy(faces.T.copy()).view(-1, 1, *SHAPE)
        return random_split(Split(images), tenths(len(images), file))
