"""A folder of image files, resized to one size and moved into memory."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, pil_loader
from torchvision.transforms.v2 import functional

from vae_lab.checks import ArgumentError, integer
from vae_lab.data.images import FEWEST, ImageData, Split, random_split, tenths


@cache
def load(root: str, size: int, grey: bool) -> dict[str, Split]:
    """Read ``root/train``, ``val`` and ``test`` where they exist, else cut everything 80/10/10.

    Raises:
        ValueError: when there are too few images, or one cannot be read.
    """
    parts = {name: Path(root) / name for name in ("train", "val", "test")}
    if all(part.is_dir() for part in parts.values()):
        return {name: read_folder(part, size, grey) for name, part in parts.items()}
    whole = read_folder(Path(root), size, grey)
    return random_split(whole, tenths(len(whole.images)))


def read_folder(folder: Path, size: int, grey: bool) -> Split:
    """All images below ``folder`` (N, C, size, size), uint8; the folders they lie in are their labels."""
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in IMG_EXTENSIONS)
    if len(files) < FEWEST:
        kinds = " ".join(IMG_EXTENSIONS)
        raise ArgumentError("path", folder, f"holds {len(files)} images; must be at least {FEWEST}, of {kinds}")
    names = sorted({f.parent.name for f in files})
    labels = torch.tensor([names.index(f.parent.name) for f in files]) if len(names) > 1 else None
    return Split(torch.stack([read_image(f, size, grey) for f in files]), labels)


def read_image(file: Path, size: int, grey: bool) -> Tensor:
    """One image (C, size, size), uint8: its shorter side is resized to ``size``, then the centre is cut out."""
    try:
        picture = pil_loader(str(file))
    except Exception as error:  # PIL raises its own and those of the codecs
        raise ArgumentError("path", file, f"cannot be read as an image ({type(error).__name__}: {error})") from error
    image = functional.pil_to_tensor(picture)
    image = functional.rgb_to_grayscale(image) if grey else image
    cut: Tensor = functional.center_crop(functional.resize(image, [size], antialias=True), [size, size])
    return cut


class ImageFolder(ImageData):
    """Images of any size from a folder and its subfolders.

    Args:
        path: the folder; with subfolders train, val and test these are the splits, else it is cut 80/10/10. Below that
            each subfolder is a class.
        size: height and width that all images are brought to.
        grey: one channel in place of three.
        options: the arguments of ``ImageData``.
    """

    def __init__(self, path: str, size: int = 32, grey: bool = False, **options: Any) -> None:
        self.path, self.size, self.grey = Path(str(path)).expanduser(), integer("size", size), grey
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        if not self.path.is_dir():
            raise ArgumentError("path", self.path, "no such folder; data=image_folder needs data.path=FOLDER")
        return dict(load(str(self.path), self.size, self.grey))
