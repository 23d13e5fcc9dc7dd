"""A folder of image files, resized to one size and moved into memory."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms.v2 import functional

from vae_lab.checks import ArgumentError, flag, integer
from vae_lab.data.images import FEWEST, ImageData, Split, random_split, tenths

SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}  # names of their folders
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")  # Pillow's modes
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
SCALED_TO_SIXTEEN = ("PNG", "PPM")  # formats of which Pillow gives 16 bits as 32-bit numbers


@lru_cache(maxsize=1)
def load(root: str, size: int, grey: bool) -> dict[str, Split]:
    """Read ``root/train`` and ``root/test`` or ``root/val`` where they exist, else cut everything 80/10/10.

    Raises:
        ArgumentError: when there are too few images, or one cannot be read.
    """
    folders = split_folders(Path(root))
    if not {"train"} < folders.keys():
        whole = read_folders({"all": Path(root)}, size, grey)["all"]
        return random_split(whole, tenths(len(whole.images), Path(root)))
    splits = read_folders(folders, size, grey)
    missing = [name for name in SPLITS if name not in splits]
    train = splits["train"]
    return splits | random_split(train, tenths(len(train.images), folders["train"], missing))


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of the splits that there are, by split."""
    found = {split: [root / name for name in names if (root / name).is_dir()] for split, names in SPLITS.items()}
    return {split: folders[0] for split, folders in found.items() if folders}


def read_folders(folders: dict[str, Path], size: int, grey: bool) -> dict[str, Split]:
    """The images below each folder (N, C, size, size), uint8; the folders that they lie in are their labels.

    A class has one number in all splits; a split with images that lie in no folder has no labels.
    """
    files = {split: image_files(folder) for split, folder in folders.items()}
    names = {split: [file.parent.relative_to(folders[split]).as_posix() for file in files[split]] for split in files}
    classes = sorted({name for found in names.values() for name in found} - {"."})
    splits = {}
    for split in folders:
        known = len(classes) > 1 and "." not in names[split]
        labels = torch.tensor([classes.index(name) for name in names[split]]) if known else None
        splits[split] = Split(torch.stack([read_image(file, size, grey) for file in files[split]]), labels)
    return splits


def image_files(folder: Path) -> list[Path]:
    """All image files below ``folder``, in order.

    Raises:
        ArgumentError: when they are too few.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in IMG_EXTENSIONS and f.is_file())
    if len(files) < FEWEST:
        kinds = " ".join(IMG_EXTENSIONS)
        raise ArgumentError("path", folder, f"holds {len(files)} images; must be at least {FEWEST}, of {kinds}")
    return files


def read_image(file: Path, size: int, grey: bool) -> Tensor:
    """One image (C, size, size), uint8: its shorter side is resized to ``size``, then the centre is cut out.

    Raises:
        ArgumentError: when it cannot be read, or has numbers of no known range.
    """
    try:
        with Image.open(file) as picture:
            eight_bits = to_eight_bits(picture)
            image = functional.pil_to_tensor(eight_bits.convert("RGB")) if eight_bits else None
            mode = picture.mode
    except Exception as error:  # PIL raises its own and those of the codecs
        raise ArgumentError("path", file, f"cannot be read as an image ({type(error).__name__}: {error})") from error
    if image is None:
        problem = f"holds numbers of no known range (mode {mode}); save it with 8 or 16 bits, or use data=npz"
        raise ArgumentError("path", file, problem)
    image = functional.rgb_to_grayscale(image) if grey else image
    cut: Tensor = functional.center_crop(functional.resize(image, [size], antialias=True), [size, size])
    return cut


def to_eight_bits(picture: Image.Image) -> Image.Image | None:
    """The picture with 8 bits per channel; 16 bits are scaled by 255 / 65535. None where the range is not known."""
    if picture.mode in EIGHT_BITS:
        return picture
    if picture.mode in SIXTEEN_BITS or (picture.mode == "I" and picture.format in SCALED_TO_SIXTEEN):
        return Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    return None


class ImageFolder(ImageData):
    """Images of any size from a folder and its subfolders.

    Args:
        path: the folder; with subfolders train and val or test these are the splits, and the one that is missing is a
            tenth of train; else it is cut 80/10/10. Below that each subfolder is a class.
        size: height and width that all images are brought to.
        grey: one channel in place of three.
        options: the arguments of ``ImageData``.
    """

    def __init__(self, path: str, size: int = 32, grey: bool = False, **options: Any) -> None:
        self.path, self.size, self.grey = Path(str(path)).expanduser(), integer("size", size), flag("grey", grey)
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        if not self.path.is_dir():
            raise ArgumentError("path", self.path, "no such folder; data=image_folder needs data.path=FOLDER")
        return dict(load(str(self.path), self.size, self.grey))
