"""What a search is after, and what of a run's record it is judged by."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from vae_lab.runs.result import Result

Direction = Literal["minimize", "maximize"]
SIGNS = {"minimize": 1.0, "maximize": -1.0}


@dataclass(frozen=True, kw_only=True)
class Search:
    """How the settings of a sweep are chosen where they come from no grid.

    Args:
        objectives: figures of ``result.json`` by name, and which way is better.
        trials: how many settings are tried.
        seeds: how many runs each of them has; their median counts.
        sampler: what suggests settings.
        seed: of the sampler.
        at_once: how many settings are suggested before the figures of any of them are known.

    Example:
        >>> search = Search(objectives={"test/rate": "minimize", "test/elbo": "maximize"}, trials=40, at_once=2)
        >>> result = Result(status="finished", seed=0, metrics={"test/rate": 2.0, "test/elbo": -15.0})
        >>> search.figures([result]), search.costs([result])
        ([2.0, -15.0], [2.0, 15.0])
    """

    objectives: Mapping[str, Direction]
    trials: int
    seeds: int = 1
    sampler: str = "tpe"
    seed: int = 0
    at_once: int = 1

    def figures(self, results: Iterable[Result]) -> list[float] | None:
        """The objectives of a setting, medians over its runs; None unless all of them finished with finite ones."""
        found = [[figure_named(result, name) for name in self.objectives] for result in results]
        if not found or any(value is None for figures in found for value in figures):
            return None
        return [median(values) for values in zip(*found, strict=True)]

    def costs(self, results: Iterable[Result]) -> list[float] | None:
        """The same, so that less is better."""
        figures = self.figures(results)
        signs = [SIGNS[direction] for direction in self.objectives.values()]
        return None if figures is None else [sign * value for sign, value in zip(signs, figures, strict=True)]


def figure_named(result: Result, name: str) -> float | None:
    """A figure of a finished run by its name in ``result.json``, such as ``test/elbo`` or ``seconds``.

    None where the run has not finished, has no such figure, or one that is no finite number.
    """
    value = result.metrics.get(name, getattr(result, name, None)) if result.status == "finished" else None
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number else None  # type: ignore[arg-type]
