"""The curves of all runs as one block of numbers."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vae_lab.report.page.entries import CurveName, Curves
from vae_lab.report.page.titles import title_of, unit_of
from vae_lab.runs.curves import Curve
from vae_lab.runs.run import Run

GROUPS = {"val": "validation", "train": "training", "coef": "coefficients"}
FIRST = ("rate", "distortion", "elbo", "active_units", "mutual_information", "shuffle_gap", "prior_gap", "loss")
BY_DIMENSION = re.compile(r"/\d+$")
MOST_VALUES = 1_600_000  # of all curves together: 6.4 MB before they are compressed and written as text
FEWEST_POINTS = 20  # of a curve that is thinned


def names_of(runs: Iterable[Mapping[str, Curve]]) -> list[CurveName]:
    """The curves that some run has, those of single dimensions left out: validation first, the best known first."""
    names = dict.fromkeys(name for curves in runs for name in curves)
    shown = [name for name in names if name.partition("/")[0] in GROUPS and not BY_DIMENSION.search(name)]
    return [
        CurveName(name=name, title=title_of(name), unit=unit_of(name), group=GROUPS[name.partition("/")[0]])
        for name in sorted(shown, key=place)
    ]


def place(name: str) -> tuple[int, int, str]:
    """Where a curve stands among the others."""
    group, _, own = name.partition("/")
    return list(GROUPS).index(group), FIRST.index(own) if own in FIRST else len(FIRST), own


def curves_of(run: Run) -> Mapping[str, Curve]:
    """The curves of a run; none where they cannot be read, which its problem says."""
    return {} if run.problem else run.curves


def packed(runs: Sequence[Mapping[str, Curve]], most_values: int = MOST_VALUES) -> tuple[Curves, bytes]:
    """What lies in the block, and the block: little-endian uint32 for the steps, float32 for the values.

    Example:
        >>> index, block = packed([{"val/rate": Curve([10, 20], [0.5, 0.25])}, {}])
        >>> index.steps, index.runs, np.frombuffer(block, "<u4", 2), np.frombuffer(block, "<f4", 2, offset=8)
        ([2], [[0], [-1]], array([10, 20], dtype=uint32), array([0.5 , 0.25], dtype=float32))
    """
    names = names_of(runs)
    most = points_allowed(
        [len(curves[n.name].steps) for curves in runs for n in names if n.name in curves], most_values
    )
    lists: dict[bytes, int] = {}  # steps as bytes, and their position
    values: list[NDArray[np.float32]] = []
    places = []
    for curves in runs:
        found = [curves.get(name.name) for name in names]
        kept = [None if curve is None else thinned(len(curve.steps), most) for curve in found]
        steps = [
            None if c is None else np.asarray(c.steps, "<u4")[at].tobytes() for c, at in zip(found, kept, strict=True)
        ]
        places.append([-1 if s is None else lists.setdefault(s, len(lists)) for s in steps])
        values += [np.asarray(c.values, "<f4")[at] for c, at in zip(found, kept, strict=True) if c is not None]
    block = b"".join([*lists, *(column.tobytes() for column in values)])
    return Curves(names=names, steps=[len(steps) // 4 for steps in lists], runs=places, most=most), block


def points_allowed(lengths: Sequence[int], most_values: int) -> int | None:
    """How many points a curve may have so that all together have ``most_values`` at most; None where they do anyway.

    Example:
        >>> points_allowed([100, 100, 1000], 600)
        400
    """
    left, ordered = most_values, sorted(lengths)
    if sum(ordered) <= most_values:
        return None
    for done, length in enumerate(ordered):
        share = left // (len(ordered) - done)
        if length > share:
            return max(share, FEWEST_POINTS)
        left -= length
    return None


def thinned(length: int, most: int | None) -> NDArray[np.intp]:
    """Which points of a curve are kept: evenly spaced ones, the first and the last among them."""
    if most is None or length <= most:
        return np.arange(length)
    return np.linspace(0, length - 1, most).round().astype(np.intp)
