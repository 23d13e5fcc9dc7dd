"""Many small pictures as one. N pictures, R rows, T columns; a picture is (H, W, 3), uint8."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pictures = NDArray[np.uint8]  # (..., H, W, 3)

WHITE = 255
COLOURS = 3


def as_pictures(images: ArrayLike, value_range: tuple[float, float]) -> Pictures:
    """Images (..., C, H, W) with pixels in ``value_range`` as pictures (..., H, W, 3), darkest to brightest.

    Three channels are red, green and blue; of any other number the mean is shown in grey.

    Example:
        >>> as_pictures([[[-1.0, 1.0]]], (-1.0, 1.0))[0].tolist()
        [[0, 0, 0], [255, 255, 255]]
    """
    low, high = value_range
    values = np.asarray(images, np.float64)
    if values.shape[-3] != COLOURS:
        values = np.repeat(values.mean(-3, keepdims=True), COLOURS, axis=-3)
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-12))
    return np.moveaxis(np.rint(255 * scaled.clip(0, 1)).astype(np.uint8), -3, -1)


def mosaic(pictures: Pictures, gap: int = 0) -> Pictures:
    """Rows of pictures (R, T, H, W, 3) as one picture, with ``gap`` white pixels between them.

    Example:
        >>> mosaic(np.zeros((2, 3, 8, 8, 3), np.uint8), gap=1).shape
        (17, 26, 3)
    """
    padded = np.pad(pictures, [(0, 0), (0, 0), (0, gap), (0, gap), (0, 0)], constant_values=WHITE)
    rows, columns, height, width, colours = padded.shape
    whole = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, colours)
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def gap_of(pictures: Pictures) -> int:
    """A gap that is seen between pictures of this size, in their pixels."""
    return max(int(pictures.shape[-3]) // 14, 1)
