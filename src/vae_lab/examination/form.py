"""How an example looks to a person's functions, and as an image to ours."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_lab.checks import ArgumentError

COLOURS = (1, 2, 3, 4)  # channels of a picture
LEAST_SIDE = 8  # of a flat picture that is taken for a square


@dataclass(frozen=True)
class Form:
    """The shape of one example, and of the image (C, H, W) that holds the same numbers.

    Args:
        shape: of an example as the person's functions take it.
        dtype: likewise.
        image_shape: (C, H, W); (1, 1, P) for what is no picture.
        channels_last: whether ``shape`` is (H, W, C).
        picture: whether it can be looked at.

    Example:
        >>> Form.of(torch.zeros(5, 784)).image_shape, Form.of(torch.zeros(5, 20)).image_shape
        ((1, 28, 28), (1, 1, 20))
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    image_shape: tuple[int, int, int]
    channels_last: bool = False
    picture: bool = True

    @classmethod
    def of(cls, x: Tensor, dtype: torch.dtype | None = None) -> "Form":
        """The form of examples x (N, ...); ``dtype`` is that of the model, where it is known.

        Flat rows of numbers in [0, 1] that make a square are taken for a picture.
        """
        shape = tuple(x.shape[1:])
        whole = not x.is_floating_point() and not pixels(x)
        kind = x.dtype if whole else dtype or (x.dtype if x.is_floating_point() else torch.float32)
        size = math.prod(shape)
        side = math.isqrt(size)
        if len(shape) == 3 and shape[0] not in COLOURS and shape[2] in COLOURS:
            return cls(shape, kind, (shape[2], shape[0], shape[1]), channels_last=True)
        if len(shape) == 3:
            return cls(shape, kind, (shape[0], shape[1], shape[2]), picture=shape[0] in COLOURS)
        if len(shape) == 2:
            return cls(shape, kind, (1, *shape))
        square = side * side == size and side >= LEAST_SIDE and not whole
        if len(shape) == 1 and square and x.min() >= 0 and x.max() <= 1:
            return cls(shape, kind, (1, side, side))
        return cls(shape, kind, (1, 1, size), picture=False)

    def images(self, x: Tensor) -> Tensor:
        """Examples (N, ...), or what a decoder makes of them, as (N, C, H, W).

        Raises:
            ArgumentError: when they are of another size.
        """
        if self.channels_last and tuple(x.shape[1:]) == self.shape:
            return x.movedim(-1, 1)
        if x[0].numel() != math.prod(self.shape):
            problem = f"gives {tuple(x.shape[1:])} for each z; an example has the shape {self.shape}"
            raise ArgumentError("decode", "its output", problem)
        return x.reshape(len(x), *self.image_shape)

    def given(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) as the person's functions take them, (N, ...)."""
        x = images.movedim(1, -1) if self.channels_last else images.reshape(len(images), *self.shape)
        return x.to(self.dtype)


def pixels(x: Tensor) -> bool:
    """Whether whole numbers (N, ...) are bytes of pictures, to be read as 0 to 1."""
    return x.dtype in (torch.uint8, torch.bool) and x.ndim > 2
