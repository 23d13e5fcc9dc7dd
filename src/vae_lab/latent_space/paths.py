"""Ways through the latent space, and a grid over its plane. T points of a way, D latent."""

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from vae_lab.checks import integer, number

PARALLEL = 1e-6  # radians: vectors nearer to one line than this have no plane of their own


def lerp(start: Tensor, stop: Tensor, steps: int) -> Tensor:
    """The straight line from ``start`` to ``stop``, each (D,): (T, D).

    (1 - t) start + t stop

    Example:
        >>> lerp(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]), 3).tolist()
        [[0.0, 2.0], [0.5, 1.0], [1.0, 0.0]]
    """
    t = progress(steps).to(start)
    return (1 - t) * start + t * stop


def slerp(start: Tensor, stop: Tensor, steps: int) -> Tensor:
    """The arc from ``start`` to ``stop``, each (D,), whose length goes evenly from one's to the other's: (T, D).

    (sin((1 - t) θ) start + sin(t θ) stop) / sin θ

    with θ the angle between them (Shoemake 1985, of unit vectors), and the line between their lengths. A straight line
    through many Gaussian dimensions passes near the origin, where the prior has next to no mass; the arc does not.
    Vectors on one line have no plane between them, and get the straight line.

    Example:
        >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 3)[1]
        tensor([0.7071, 0.7071])
    """
    lengths = start.norm(), stop.norm()
    if not min(lengths):
        return lerp(start, stop, steps)
    a, b = start / lengths[0], stop / lengths[1]
    angle = 2 * torch.atan2((a - b).norm(), (a + b).norm())
    if angle < PARALLEL or angle > torch.pi - PARALLEL:
        return lerp(start, stop, steps)
    t = progress(steps).to(start)
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    way: Tensor = arc * ((1 - t) * lengths[0] + t * lengths[1])
    return way


def axis_by_axis(start: Tensor, stop: Tensor, steps: int, order: list[int] | None = None) -> Tensor:
    """One coordinate after the other from ``start`` to ``stop``, each (D,), ``steps`` points a coordinate.

    Args:
        start: where the way begins.
        stop: where it ends.
        steps: points of each coordinate's part, its end included.
        order: of the coordinates; all, from the first, by default.

    Returns:
        (1 + ``steps`` · number of coordinates, D); coordinates that are not in ``order`` stay as they are.

    Example:
        >>> axis_by_axis(torch.zeros(2), torch.ones(2), steps=1).tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    points = [start[None]]
    for dim in range(len(start)) if order is None else order:
        corner = points[-1][-1].clone()
        corner[dim] = stop[dim]
        points.append(lerp(points[-1][-1], corner, integer("steps", steps) + 1)[1:])
    return torch.cat(points)


def closed_path(points: Tensor, steps: int) -> Tensor:
    """A smooth closed way through ``points`` (P, D), ``steps`` from each to the next: (P · ``steps``, D).

    The periodic cubic spline; the last point lies one step before the first.

    Example:
        >>> square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> closed_path(square, steps=2)[::2].tolist() == square.tolist()
        True
    """
    integer("len(points)", len(points), low=2)
    knots = np.concatenate([points.cpu().double().numpy(), points[:1].cpu().double().numpy()])
    spline = CubicSpline(np.arange(len(knots)), knots, bc_type="periodic")
    return torch.from_numpy(spline(np.arange(len(points) * integer("steps", steps)) / steps)).to(points)


def quantile_grid(size: int, mass: float = 0.95) -> Tensor:
    """``size`` standard normal quantiles, evenly placed in probability over the middle ``mass``, rising: (size,).

    Example:
        >>> [round(z, 2) for z in quantile_grid(3).tolist()]
        [-1.96, 0.0, 1.96]
    """
    number("mass", mass, above=0, high=1 - 1e-6)
    levels = torch.linspace((1 - mass) / 2, (1 + mass) / 2, integer("size", size, low=2), dtype=torch.float64)
    quantiles: Tensor = torch.special.ndtri(levels).float()
    return quantiles


def progress(steps: int) -> Tensor:
    """From 0 to 1 in ``steps`` points, (T, 1)."""
    return torch.linspace(0, 1, integer("steps", steps, low=2), dtype=torch.float64)[:, None]
