"""Shapes of known size and orientation, drawn with smooth edges.

The shapes lie in the unit disc around (0, 0); u points to the right and v up.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FINE = 8  # points along a pixel's side at which it is asked whether the shape covers it


def square(u: Floats, v: Floats) -> NDArray[np.bool_]:
    """The square whose corners touch the disc."""
    inside: NDArray[np.bool_] = np.maximum(abs(u), abs(v)) <= np.sqrt(0.5)
    return inside


def ellipse(u: Floats, v: Floats) -> NDArray[np.bool_]:
    """The ellipse twice as wide as high."""
    inside: NDArray[np.bool_] = u**2 + (2 * v) ** 2 <= 1
    return inside


def heart(u: Floats, v: Floats) -> NDArray[np.bool_]:
    """The heart of the sextic curve (u² + v² - 1)³ = u² v³, brought into the disc."""
    u, v = 1.25 * u, 1.25 * v + 0.25
    inside: NDArray[np.bool_] = (u**2 + v**2 - 1) ** 3 <= u**2 * v**3
    return inside


SHAPES: tuple[Callable[[Floats, Floats], NDArray[np.bool_]], ...] = (square, ellipse, heart)


def coverage(shape: int, radius: float, angle: float, side: int) -> Floats:
    """How much of each pixel a shape covers, in the middle of an image (side, side), 0 to 1.

    Args:
        shape: its number in ``SHAPES``.
        radius: of its disc, in pixels.
        angle: how far it is turned to the left, in radians.
        side: of the image, in pixels.

    Example:
        >>> coverage(0, radius=2**0.5, angle=0.0, side=4)
        array([[0., 0., 0., 0.],
               [0., 1., 1., 0.],
               [0., 1., 1., 0.],
               [0., 0., 0., 0.]])
    """
    place = ((np.arange(side * FINE) + 0.5) / FINE - side / 2) / radius
    x, y = place[None, :], -place[:, None]
    turned = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    covered: Floats = SHAPES[shape](*turned).reshape(side, FINE, side, FINE).mean((1, 3))
    return covered
