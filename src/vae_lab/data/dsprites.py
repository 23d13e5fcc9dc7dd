"""dSprites: white shapes of known factors."""

import shutil
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lab.checks import ArgumentError, one_line
from vae_lab.data.arrays import in_place, read_npy, read_npz, read_whole_numbers
from vae_lab.data.images import ImageData, Split, random_split, tenths
from vae_lab.data.stored import missing
from vae_lab.files import settle

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
ADVICE = "get it from github.com/google-deepmind/dsprites-dataset"
UNPACKED = "dsprites/imgs.npy"


@lru_cache(maxsize=1)
def load(root: Path, modified_ns: int) -> dict[str, Split]:
    """The images, unpacked once beside the archive, and their factors, cut 80/10/10 by a fixed permutation.

    ``modified_ns`` only keeps the cache true when the file changes.

    Raises:
        ArgumentError: when the archive is not whole.
    """
    arrays, found = read_npz(root / FILE, ("latents_classes",))
    if "latents_classes" not in arrays or "imgs" not in found:
        raise ArgumentError("root", root, f"{FILE} holds {', '.join(found)}; must hold imgs and latents_classes")
    unpack(root)
    images = read_npy(root / UNPACKED)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ArgumentError("root", root, f"imgs of {FILE} is {images.dtype} {images.shape}; must be uint8 (N, H, W)")
    factors = read_whole_numbers(root / FILE, "latents_classes", arrays["latents_classes"], (len(images), -1))
    whole = Split(in_place(images.view(np.bool_)), factors=factors[:, 1:])  # 0 and 1; the one colour is no factor
    return random_split(whole, tenths(len(images), root / FILE))


def unpack(root: Path) -> None:
    """Write ``imgs.npy`` out of the archive, which no other way is read but whole.

    Raises:
        ArgumentError: when that does not work.
    """
    file = root / UNPACKED
    if file.is_file() and file.stat().st_mtime_ns >= (root / FILE).stat().st_mtime_ns:
        return
    temporary = file.with_name(".imgs.npy.part")
    try:
        file.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(root / FILE) as archive, archive.open("imgs.npy") as packed, temporary.open("wb") as out:
            shutil.copyfileobj(packed, out, 2**22)
        settle(temporary, file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ArgumentError("root", root, f"{FILE} cannot be unpacked into {file} ({one_line(error)})") from error


class DSprites(ImageData):
    """dSprites (Matthey et al. 2017), (1, 64, 64), 0 and 1: 589,824 / 73,728 / 73,728, each with its factors.

    Three gigabytes, which stay on disk: the archive is unpacked once, to ``dsprites/imgs.npy`` beside it.

    Args:
        root: the data root, which holds the official archive.
        options: the arguments of ``ImageData``.
    """

    factor_names: ClassVar = ("shape", "scale", "orientation", "x", "y")

    def __init__(self, root: str = "data", **options: Any) -> None:
        self.root = Path(str(root)).expanduser()
        super().__init__(**options)

    def load(self) -> dict[str, Split]:
        if not (self.root / FILE).is_file():
            raise missing(self.root, FILE, ADVICE)
        return dict(load(self.root, (self.root / FILE).stat().st_mtime_ns))
