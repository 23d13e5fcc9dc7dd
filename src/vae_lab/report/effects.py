"""What a change of one setting did, told only where seeds and lengths allow it."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from vae_lab.runs.run import text
from vae_lab.runs.setting import Setting

ENOUGH_SEEDS = 3
EPOCHS, BATCH = "epochs", "data.batch_size"


def prevented_collapses(settings: Sequence[Setting]) -> list[str]:
    """Settings of equal length that differ in one key, of which one collapsed with every seed, the other with none."""
    found: dict[tuple[str, str, str, int], list[str]] = {}
    enough = [setting for setting in settings if len(setting.finished) >= ENOUGH_SEEDS]
    collapsed = [setting for setting in enough if all(run.collapsed for run in setting.finished)]
    healthy = [setting for setting in enough if not any(r.collapsed or r.held_at_floor for r in setting.finished)]
    for bad in collapsed:
        for good in healthy:
            changed = [key for key in bad.values if bad.values[key] != good.values[key]]
            if len(changed) == 1 and steps_of(bad) == steps_of(good):
                (key,) = changed
                rest = ", ".join(f"{k}={v}" for k, v in bad.values.items() if k != key)
                about = key, text(good.values, key), f" at {rest}" if rest else "", len(good.finished)
                found.setdefault(about, []).append(text(bad.values, key))
    return [
        f"{key}={value} instead of {', '.join(others)} prevented the collapse{where} (all {seeds} seeds)."
        for (key, value, where, seeds), others in found.items()
    ]


def steps_of(setting: Setting) -> set[int]:
    """How many steps the setting's runs took."""
    return {run.result.steps for run in setting.finished}


class End(NamedTuple):
    """A setting at one end of a sweep over the batch size: medians over its seeds."""

    batch: float
    rate: float
    steps: float

    def __str__(self) -> str:
        return f"{self.rate:.2f} (batch {self.batch:g}, {self.steps:g} steps)"


def batch_size_effect(settings: Sequence[Setting]) -> list[str]:
    """Where batch sizes were compared at equal steps and at equal epochs: which of the two explains the KL."""
    swept = [setting for setting in settings if {EPOCHS, BATCH} <= setting.values.keys() and setting.finished]
    equal_steps = ends([setting for setting in swept if setting.values[EPOCHS] is None])
    equal_epochs = ends([setting for setting in swept if setting.values[EPOCHS] is not None])
    if not equal_steps or not equal_epochs:
        return []
    from_batch, total = (last.rate - first.rate for first, last in (equal_steps, equal_epochs))
    by_steps = "The number of steps explains the difference, not the batch size."
    by_batch = "The batch size explains more of the difference than the number of steps."
    found = f"Median KL at equal steps: {equal_steps[0]} and {equal_steps[1]}; "
    found += f"at equal epochs: {equal_epochs[0]} and {equal_epochs[1]}. "
    return [found + (by_steps if abs(total - from_batch) > abs(from_batch) else by_batch)]


def ends(settings: Sequence[Setting]) -> tuple[End, End] | None:
    """The settings with the smallest and the largest batch, None where there are not two."""
    ordered = sorted(
        End(setting.values[BATCH], median(setting.figures("rate")), median(r.result.steps for r in setting.finished))
        for setting in settings
    )
    return (ordered[0], ordered[-1]) if len(ordered) > 1 else None
