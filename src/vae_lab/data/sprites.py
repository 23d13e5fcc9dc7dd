"""Sprites of our own: coloured shapes whose factors are known, drawn when they are first wanted."""

from functools import lru_cache
from itertools import product
from math import pi, prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from vae_lab.checks import ArgumentError
from vae_lab.data.arrays import Array
from vae_lab.data.images import ImageData, Split, random_split, tenths
from vae_lab.data.shapes import SHAPES, coverage
from vae_lab.data.stored import stored

SIZES = (32, 64)
PLACES = 8  # along each axis; a step is a sixteenth of the image
RADII = (0.25, 0.35, 0.45, 0.55)  # of half the image's side
ANGLES = tuple(i * pi / 16 for i in range(8))  # a quarter turn, within which no shape looks like itself again
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0))  # orange, sky blue, green, vermilion
COUNTS = (len(SHAPES), len(RADII), len(ANGLES), PLACES, PLACES, len(COLOURS))


def draw(size: int, array: Array) -> None:
    """Fill ``array`` (N, size, size, 3) with all sprites, the last factor running fastest."""
    step = size // 16
    side = size - (PLACES - 1) * step
    colours = np.array(COLOURS, np.float64)
    images = array.reshape(*COUNTS, size, size, 3)
    for shape, scale, turn in product(*map(range, COUNTS[:3])):
        mask = coverage(shape, RADII[scale] * size / 2, ANGLES[turn], side)
        sprites = (colours[:, None, None] * mask[..., None]).round().astype(np.uint8)  # (colours, side, side, 3)
        for column, row in product(range(PLACES), repeat=2):
            left, top = column * step, row * step
            images[shape, scale, turn, column, row, :, top : top + side, left : left + side] = sprites


@lru_cache(maxsize=1)
def load(file: Path, size: int) -> dict[str, Split]:
    """All sprites, cut 80/10/10 by a fixed permutation."""
    n = prod(COUNTS)
    images = stored(file, (n, size, size, 3), np.uint8, lambda array: draw(size, array))
    factors = torch.from_numpy(np.stack(np.unravel_index(np.arange(n), COUNTS), 1).astype(np.int64))
    return random_split(Split(images, factors=factors), tenths(n, file))


class Sprites(ImageData):
    """24,576 coloured shapes on black, (3, size, size) in [0, 1], each once: 19,662 / 2,457 / 2,457.

    Factors, in order: shape (square, ellipse, heart), scale (4), orientation (8, over a quarter turn, so that a square
    never looks like itself again, as it does in dSprites), x (8, to the right), y (8, down), colour (4). All values
    are whole numbers from 0. No two images are equal. Nothing is downloaded: they are drawn once, the same everywhere,
    into ``sprites/sprites_SIZE.npy`` below the data root (75 or 302 MB), and stay on disk.

    Args:
        root: the data root.
        size: height and width, 32 or 64.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: for another size.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     batch = next(Sprites(folder, batch_size=5).train_stream(1))
        >>> batch.x.shape, batch.factors.shape
        (torch.Size([5, 3, 32, 32]), torch.Size([5, 6]))
    """

    factor_names: ClassVar = ("shape", "scale", "orientation", "x", "y", "colour")

    def __init__(self, root: str | Path = "data", size: int = 32, **options: Any) -> None:
        if size not in SIZES:
            raise ArgumentError("size", size, f"must be {' or '.join(map(str, SIZES))}")
        self.root, self.size = Path(str(root)).expanduser(), size
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        return dict(load(self.root / "sprites" / f"sprites_{self.size}.npy", self.size))
