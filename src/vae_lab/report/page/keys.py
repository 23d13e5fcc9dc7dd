"""What was swept, as the page filters and colours by it."""

import math
from collections.abc import Sequence
from typing import Any

from vae_lab.report.comparison import short_names
from vae_lab.report.page.entries import Key
from vae_lab.runs.run import Run, text


def number_of(value: Any) -> float | None:
    """A finite number as a float; None for anything else."""
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) else None


def keys_of(runs: Sequence[Run], names: Sequence[str]) -> list[Key]:
    """The swept keys with their values: numbers in their order, then what is no number, as it comes."""
    return [key_of(runs, name, title) for name, title in zip(names, short_names(names), strict=True)]


def key_of(runs: Sequence[Run], name: str, title: str) -> Key:
    """One of them."""
    found = {text(run.overrides, name): number_of(run.overrides.get(name)) for run in runs}
    ordered = sorted(found, key=lambda value: math.inf if found[value] is None else found[value])  # type: ignore[arg-type, return-value]
    return Key(key=name, title=title, values=ordered, numbers=[found[value] for value in ordered])
