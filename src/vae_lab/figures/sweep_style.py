"""How the runs of a sweep look in its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_lab.figures.style import OKABE_ITO

DASHES = ("-", "--", ":")  # of the first eight names, the next eight, and those after
LIGHT_END = 0.85  # of viridis: what lies above does not stand out from white
MOST_NAMED = 16  # values in a legend

Look = tuple[Any, Any]  # colour and dash


def looks(values: Sequence[str], numeric: bool) -> dict[str, Look]:
    """A colour and a dash for each value: a sequential map for numbers, the palette of Okabe and Ito for names.

    Example:
        >>> looks(["digits", "mnist"], numeric=False)
        {'digits': ('#0072B2', '-'), 'mnist': ('#D55E00', '-')}
    """
    if numeric and len(values) > 1:
        places = [LIGHT_END * i / (len(values) - 1) for i in range(len(values))]
        return {value: (colormaps["viridis"](place), "-") for value, place in zip(values, places, strict=True)}
    return {value: (OKABE_ITO[i % 8], DASHES[i // 8 % 3]) for i, value in enumerate(values)}


def add_legend(figure: Figure, key: str, found: Mapping[str, Look]) -> None:
    """The values of a key, where there are several, and few enough to be told apart."""
    if not 1 < len(found) <= MOST_NAMED:
        return
    lines = [Line2D([], [], color=colour, linestyle=dash) for colour, dash in found.values()]
    legend = figure.legend(lines, [*found], title=key, loc="outside right upper", fontsize=8, title_fontsize=8)
    for text in [*legend.get_texts(), legend.get_title()]:
        text.set_parse_math(False)  # a value may hold a dollar
