"""Runs of one setting, which differ in their seed only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from vae_lab.diagnosis.causes import Cause
from vae_lab.runs.run import Run, text
from vae_lab.runs.sweep import SEED


@dataclass(frozen=True)
class Setting:
    """The runs of one setting, which differ in their seed only."""

    values: Mapping[str, Any]
    runs: Sequence[Run]

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.finished]

    def figures(self, name: str) -> list[float]:
        """The figure of each finished run that has it."""
        return [value for run in self.finished if (value := run.figure(name)) is not None]

    def spread(self, name: str) -> tuple[float, float, float] | None:
        """(median, least, largest) over the seeds, None where no run has the figure."""
        found = self.figures(name)
        return (median(found), min(found), max(found)) if found else None

    def bracket(self, name: str) -> tuple[float, float] | None:
        """Medians of the bounds over the seeds, where each finished run has them."""
        found = [run.bracket(name) for run in self.finished]
        pairs = [pair for pair in found if pair is not None]
        if not pairs or len(pairs) < len(found):
            return None
        return median(low for low, _ in pairs), median(high for _, high in pairs)

    @property
    def cause(self) -> Cause | None:
        """The cause on which all seeds agree, None where there is none."""
        causes = [run.cause for run in self.finished if run.diagnosis]
        kinds = {cause.kind if cause else "none" for cause in causes}
        return causes[0] if len(kinds) == 1 else None

    @property
    def used(self) -> str:
        """Median, least and largest number of dimensions that the decoder uses."""
        used = sorted(run.result.latent_dim - run.result.unused for run in self.finished)
        return f"{median(used):g} [{used[0]}, {used[-1]}]" if used else "-"

    @property
    def collapse(self) -> str:
        """How many seeds ended how: ``2 full, 1 partial``."""
        ends = [str(run.result.verdict if run.finished else run.status) for run in self.runs]
        return ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(sorted(ends)))


def settings_of(runs: Iterable[Run], keys: Sequence[str]) -> list[Setting]:
    """Group runs by what was swept but the seed, in the order of their appearance."""
    grouped: dict[tuple[str, ...], list[Run]] = {}
    names = [key for key in keys if key != SEED]
    for run in runs:
        grouped.setdefault(tuple(text(run.overrides, key) for key in names), []).append(run)
    return [Setting({key: group[0].overrides.get(key, "-") for key in names}, group) for group in grouped.values()]
