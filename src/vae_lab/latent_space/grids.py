"""Latents laid out in rows and columns. R rows, T columns, D latent."""

from collections.abc import Sequence

import torch
from torch import Tensor


def plane(base: Tensor, dims: Sequence[int], across: Tensor, up: Tensor | None = None) -> Tensor:
    """A grid over two latent dimensions, or a row over one; the others stay as in ``base``.

    Args:
        base: (D,).
        dims: the dimension that runs across and, where ``up`` is given, the one that runs up.
        across: its values (T,), from left to right.
        up: the other's values (R,), from the bottom to the top, as on any chart.

    Returns:
        (R, T, D), the uppermost row first; R is 1 without ``up``.

    Example:
        >>> grid = plane(torch.zeros(3), (0, 2), torch.tensor([-1.0, 1.0]), torch.tensor([5.0, 6.0]))
        >>> grid[0].tolist()
        [[-1.0, 0.0, 6.0], [1.0, 0.0, 6.0]]
    """
    grid = base.repeat(1 if up is None else len(up), len(across), 1)
    grid[..., dims[0]] = across.to(base)
    if up is not None:
        grid[..., dims[1]] = up.flip(0).to(base)[:, None]
    return grid


def traversals(base: Tensor, dims: Sequence[int], values: Tensor) -> Tensor:
    """A row for each of ``dims``, along which it takes the ``values`` (T,), and the others stay as in ``base`` (D,).

    Returns:
        (R, T, D).

    Example:
        >>> traversals(torch.zeros(2), [1, 0], torch.tensor([-1.0, 1.0])).tolist()
        [[[0.0, -1.0], [0.0, 1.0]], [[-1.0, 0.0], [1.0, 0.0]]]
    """
    return torch.cat([plane(base, [dim], values) for dim in dims])
