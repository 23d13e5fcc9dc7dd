"""Methods that end at different rates, compared at one rate."""

from collections.abc import Sequence

import numpy as np

from vae_lab.runs.setting import Setting


def distortion_at(points: Sequence[tuple[float, float]], rate: float) -> float | None:
    """Distortion at ``rate`` on the line through (rate, distortion) points, None beyond the outermost ones."""
    rates, distortions = zip(*sorted(points), strict=True) if points else ((), ())
    if not points or not rates[0] <= rate <= rates[-1]:
        return None
    return float(np.interp(rate, rates, distortions))


def matched(settings: Sequence[Setting], key: str, rate: float, baseline: str = "") -> dict[str, float | None]:
    """For each value of ``key``: the distortion at ``rate``, between the settings (medians over seeds) that have it.

    The settings of the value ``baseline``, the run from which all start, belong to every other one too.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for setting in settings:
        spreads = [setting.spread(name) for name in ("rate", "distortion")]
        if spreads[0] and spreads[1]:
            points.setdefault(str(setting.values.get(key, "-")), []).append((spreads[0][0], spreads[1][0]))
    start = points.pop(baseline, [])
    return {value: distortion_at(start + found, rate) for value, found in points.items()}
