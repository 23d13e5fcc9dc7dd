"""What a sweep says, in words that its seeds support and no more."""

from collections.abc import Sequence
from statistics import mean, median
from typing import NamedTuple

from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import Setting, settings_of

ENOUGH_SEEDS = 3


def sentences(runs: Sequence[Run], keys: Sequence[str]) -> list[str]:
    """Which runs collapsed, how each swept key goes with it, what woke them, and what to beware of."""
    settings = settings_of(runs, keys)
    finished = [run for run in runs if run.status == "finished"]
    if not finished:
        return [*endings(runs)]
    lines = [count(finished)]
    if len(finished) > 1:
        lines += [by_value(finished, key) for key in keys if key != "seed"]
        lines += awakenings(settings)
        lines += lengths_compared(settings)
    return lines + cautions(finished, settings) + endings(runs)


def count(finished: Sequence[Run]) -> str:
    """How many runs ended with which verdict."""
    kinds = [run.result["verdict"] for run in finished]
    full, partial, none = (kinds.count(kind) for kind in ("full", "partial", "none"))
    if len(kinds) == 1:
        return f"The posterior's collapse: {finished[0].verdict}."
    counts = f"{full} collapsed (z is ignored), {partial} with some dimensions unused, {none} with all in use"
    return f"{len(kinds)} runs: {counts}."


def by_value(finished: Sequence[Run], key: str) -> str:
    """How often each value of a key collapsed, and its mean KL over the rest of the grid."""
    groups: dict[str, list[Run]] = {}
    for run in (run for run in finished if key in run.overrides):
        groups.setdefault(text(run.overrides, key), []).append(run)
    parts = []
    for value, group in groups.items():
        rate = mean(run.figure("test/rate") or 0.0 for run in group)
        parts.append(f"{value}: {sum(run.collapsed for run in group)} of {len(group)} collapsed, mean KL {rate:.2f}")
    where = "" if all(key in run.overrides for run in finished) else " (where it applies)"
    return f"{key}{where} = " + "; ".join(parts) + "."


def awakenings(settings: Sequence[Setting]) -> list[str]:
    """Pairs of equal length that differ in one key, of which one collapsed with every seed and the other with none."""
    pairs: dict[tuple[str, str, str, int], list[str]] = {}
    enough = [setting for setting in settings if len(setting.finished) >= ENOUGH_SEEDS]
    asleep = [setting for setting in enough if all(run.collapsed for run in setting.finished)]
    awake = [setting for setting in enough if not any(run.collapsed or run.held_at_floor for run in setting.finished)]
    for before in asleep:
        for after in awake:
            changed = [key for key in before.values if before.values[key] != after.values[key]]
            if len(changed) == 1 and steps_of(before) == steps_of(after):
                (key,) = changed
                rest = ", ".join(f"{k}={v}" for k, v in before.values.items() if k != key)
                about = key, text(after.values, key), f" at {rest}" if rest else "", len(after.finished)
                pairs.setdefault(about, []).append(text(before.values, key))
    return [
        f"{key}={value} in place of {', '.join(asleep_values)} woke it{where} (all {seeds} seeds)."
        for (key, value, where, seeds), asleep_values in pairs.items()
    ]


def steps_of(setting: Setting) -> set[int]:
    """How many steps the setting's runs took."""
    return {run.result["steps"] for run in setting.finished}


def lengths_compared(settings: Sequence[Setting]) -> list[str]:
    """Where batch sizes were compared both at equal steps and at equal epochs: which of the two explains the KL."""
    lengths, batch = "epochs", "data.batch_size"
    whole = [setting for setting in settings if {lengths, batch} <= setting.values.keys() and setting.finished]
    equal_steps = ends([s for s in whole if s.values[lengths] is None], batch)
    equal_epochs = ends([s for s in whole if s.values[lengths] is not None], batch)
    if not equal_steps or not equal_epochs:
        return []
    drift, total = (last.rate - first.rate for first, last in (equal_steps, equal_epochs))
    verdict = (
        "the number of steps explains the difference, not the batch"
        if abs(total - drift) > abs(drift)
        else ("the batch itself explains more of the difference than the number of steps")
    )
    told = [
        f"at equal {name} from {first.rate:.2f} (batch {first.batch:g}, {first.steps:g} steps) to {last.rate:.2f} "
        f"(batch {last.batch:g}, {last.steps:g} steps)"
        for name, (first, last) in (("steps", equal_steps), ("epochs", equal_epochs))
    ]
    return [f"The median KL goes {' and '.join(told)}: {verdict}."]


class End(NamedTuple):
    """A setting at one end of a sweep over the batch size: medians over its seeds."""

    batch: float
    rate: float
    steps: float


def ends(settings: Sequence[Setting], batch: str) -> tuple[End, End] | None:
    """The settings with the smallest and the largest batch, None where there are not two."""
    ordered = sorted(
        End(s.values[batch], median(s.figures("test/rate")), median(r.result["steps"] for r in s.finished))
        for s in settings
    )
    return (ordered[0], ordered[-1]) if len(ordered) > 1 else None


def cautions(finished: Sequence[Run], settings: Sequence[Setting]) -> list[str]:
    """What a reader must know before believing the table."""
    lines = []
    least = min(len(setting.finished) for setting in settings if setting.finished)
    if len(finished) > 1 and least < ENOUGH_SEEDS:
        lines.append(
            f"{'One seed' if least == 1 else f'{least} seeds'} per setting cannot tell a setting's effect from luck: "
            "add seed=0,1,2 before you say that one woke another."
        )
    held = sum(run.held_at_floor for run in finished)
    if held:
        lines.append(
            f"{held} held at the floor that the method sets for the rate: there MI and shuffle gap speak, not the KL."
        )
    if any(run.result["verdict"] == "partial" for run in finished):
        lines.append("Unused dimensions are no fault where the data do not pay for them.")
    unfinished = sum(bool(run.result.get("unfinished")) for run in finished)
    if unfinished:
        which = "It was" if len(finished) == 1 else f"{unfinished} of {len(finished)} were"
        lines.append(f"{which} still improving at the end: raise trainer.max_steps before you compare.")
    blind = sum(run.result.get("unfinished") is None for run in finished)
    if blind:
        which = "It is" if len(finished) == 1 else f"{blind} of {len(finished)} are"
        reason = "too short, annealed too late, or moved by a controller to the end"
        lines.append(f"{which} {reason}: nothing tells whether training had settled.")
    if any(run.linear_rate is not None for run in finished):
        lines.append("linear KL is the linear VAE's on these data, beside the measurement: a prediction, not a bound.")
    if len({run.result.get("steps") for run in finished}) > 1:
        lines.append("The runs differ in their number of steps: equal epochs are not equal training.")
    return lines


def endings(runs: Sequence[Run]) -> list[str]:
    """The runs that diverged, failed or are still going, each with its reason."""
    lines = []
    for status in ("diverged", "failed", "running"):
        some = [run for run in runs if run.status == status]
        if some:
            lines.append(f"{len(some)} {status}:")
            lines += [f"  {run.directory.name}: {run.result.get('reason') or 'not ended'}" for run in some]
    return lines
