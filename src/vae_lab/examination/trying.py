"""A person's functions tried on a few examples: what breaks in them is said in one line, with what they were given."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from vae_lab.checks import ArgumentError, one_line

WHOLE = "; whole numbers are given as they are: for pixels give data / 255"


@contextmanager
def trying(name: str, **given: Tensor) -> Iterator[None]:
    """Turn whatever a person's function ``name`` raises into one line.

    Raises:
        ArgumentError: for any exception; it is the cause of this one, so that its traceback is printed too.

    Example:
        >>> import torch
        >>> with trying("decode", z=torch.zeros(2, 3)):
        ...     torch.zeros(2, 3) @ torch.zeros(4, 5)
        Traceback (most recent call last):
        ...
        vae_lab.checks.ArgumentError: decode=f(z): fails on z (2, 3) of float32 (RuntimeError: ...)
    """
    try:
        yield
    except ArgumentError:
        raise
    except Exception as error:  # a person's code: whatever breaks there
        words = [f"{part} {tuple(x.shape)} of {str(x.dtype).removeprefix('torch.')}" for part, x in given.items()]
        whole = WHOLE if any(not x.is_floating_point() for x in given.values()) else ""
        allowed = f"fails on {' and '.join(words)} ({one_line(error)}){whole}"
        raise ArgumentError(name, f"f({', '.join(given)})", allowed) from error
