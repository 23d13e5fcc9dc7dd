"""The frames of a film: what a latent space looked like at a step of the training, as arrays in files."""

import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_lab.figures.mosaic import Pictures

PATTERN = "step-*.npz"


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame. T columns and R rows of pictures, N images, D latent.

    Args:
        step: of the optimizer.
        kl_weight: what a nat of rate weighs in the loss.
        dims: the two latent dimensions that are shown, or the only one.
        pictures: the manifold, (R, T, H, W, 3), uint8.
        across: the latent values of its columns, (T,).
        up: those of its rows, (R,), none for a single row.
        points: the posterior means in ``dims``, (N, 2); for a single dimension the mean, and the KL of the image.
        labels: (N,), or none.
        rate_dim: the rate of each dimension, (D,), nats per image.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> none = np.zeros(0)
        >>> frame = Frame(100, 1.0, (0,), np.zeros((1, 2, 8, 8, 3), np.uint8), none, none, none, none, np.ones(4))
        >>> with TemporaryDirectory() as folder:
        ...     frame.write(Path(folder))
        ...     frames(Path(folder))[0].rate_dim.sum().item()
        4.0
    """

    step: int
    kl_weight: float
    dims: tuple[int, ...]
    pictures: Pictures
    across: NDArray[np.floating]
    up: NDArray[np.floating]
    points: NDArray[np.floating]
    labels: NDArray[np.integer]
    rate_dim: NDArray[np.floating]

    def write(self, folder: Path) -> None:
        """Put it into a folder, under the name of its step."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / PATTERN.replace("*", f"{self.step:08d}"), **asdict(self))

    @classmethod
    def read(cls, file: Path) -> "Frame":
        """The frame in a file."""
        with np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        step, weight, dims = (content.pop(name).tolist() for name in ("step", "kl_weight", "dims"))
        return cls(step, weight, tuple(dims), **content)


def frames(folder: Path) -> list[Frame]:
    """The frames in a folder in the order of their steps; one that was cut off is left out."""
    found = []
    for file in sorted(folder.glob(PATTERN)):
        try:
            found.append(Frame.read(file))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            continue
    return found
