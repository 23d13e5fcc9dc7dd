"""What a search found: the best setting, or those on the Pareto front of several objectives."""

from collections.abc import Sequence

import numpy as np

from vae_lab.report.comparison import Marks, short_names
from vae_lab.runs.run import Run, text
from vae_lab.runs.search import Search
from vae_lab.runs.setting import Setting, settings_of
from vae_lab.runs.sweep import SEED

MOST = 12  # settings of a front that the words list; the table marks them all
LUCK = "A search keeps what did well on one test split: run what it found with new seeds before you report it."


def found(runs: Sequence[Run], keys: Sequence[str], search: Search | None) -> list[Setting]:
    """The settings that no other beats, in the order of the first objective; none where nothing was searched.

    One beats another that is better in some objective and worse in none.
    """
    if search is None:
        return []
    settings = settings_of(runs, keys)
    costs = [search.costs([run.result for run in setting.runs]) for setting in settings]
    judged = [(cost, setting) for cost, setting in zip(costs, settings, strict=True) if cost is not None]
    if not judged:
        return []
    kept = unbeaten(np.array([cost for cost, _ in judged]))
    return [setting for _, setting in sorted((judged[i] for i in kept), key=lambda pair: pair[0])]


def unbeaten(costs: np.ndarray) -> list[int]:
    """The rows (N, K) that no other row beats, where less is better.

    Example:
        >>> unbeaten(np.array([[1.0, 4.0], [2.0, 2.0], [2.0, 3.0], [4.0, 1.0]]))
        [0, 1, 3]
    """
    return [i for i, cost in enumerate(costs) if not ((costs <= cost).all(axis=1) & (costs < cost).any(axis=1)).any()]


def marks(runs: Sequence[Run], keys: Sequence[str], search: Search | None) -> Marks:
    """What tables mark of a search: the runs of these settings; nothing where nothing was searched."""
    if search is None:
        return Marks()
    names = frozenset(run.name for setting in found(runs, keys, search) for run in setting.runs)
    return Marks("best" if len(search.objectives) == 1 else "front", names)


def findings(runs: Sequence[Run], keys: Sequence[str], search: Search | None) -> list[str]:
    """What a search found, in words; none where nothing was searched."""
    settings = found(runs, keys, search)
    if search is None or not settings:
        return []
    names = [key for key in keys if key != SEED]
    if len(search.objectives) == 1:
        ((objective, direction),) = search.objectives.items()
        best = f"Best {objective} ({direction}): {figures(settings[0], search)} at {label(settings[0], names)}."
        return [best]
    aims = ", ".join(f"{name} ({direction})" for name, direction in search.objectives.items())
    count = len(settings_of(runs, keys))
    front = f"{len(settings)} of {count} settings lie on the Pareto front of {aims}: what is better in one"
    front += " of these is worse in another."
    listed = [f"  {label(setting, names)}: {figures(setting, search)}" for setting in settings[:MOST]]
    rest = [f"  and {len(settings) - MOST} more, which the table marks"] if len(settings) > MOST else []
    return [front, *listed, *rest]


def label(setting: Setting, keys: Sequence[str]) -> str:
    """A setting by the values that it has."""
    named = zip(keys, short_names(keys), strict=True)
    return ", ".join(f"{name}={text(setting.values, key)}" for key, name in named if text(setting.values, key) != "-")


def figures(setting: Setting, search: Search) -> str:
    """The objectives of a setting: ``12.13`` of one, ``test/rate 12.13, test/distortion 17.20`` of several."""
    values = search.figures([run.result for run in setting.runs]) or []
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(search.objectives, values, strict=True))
