"""A sweep directory as an object, and ``sweep.json``, its record."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from vae_lab.runs.names import RESULT, SWEEP
from vae_lab.runs.records import Record, RecordError, read_record, write_record
from vae_lab.runs.run import Run, text
from vae_lab.runs.search import Search

SEED = "seed"
SWEPT_IN = "sweep"  # the key that tells runs of several sweeps apart


@dataclass(frozen=True, kw_only=True)
class SweepRecord(Record):
    """The record of a sweep: its swept keys, what its runs share, its command line, and the names of its directories.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> record = SweepRecord(swept=["model.beta"], arguments=["-m", "model.beta=1,4"],
        ...                      started="2026-01-01T00:00:00+00:00", jobs=["model.beta=1", "model.beta=4"])
        >>> with TemporaryDirectory() as directory:
        ...     record.write(Path(directory))
        ...     SweepRecord.read(Path(directory)) == record
        True
    """

    format: int = 2
    swept: list[str]
    shared: list[str] = field(default_factory=list)
    arguments: list[str]
    started: str
    ended: str | None = None
    jobs: list[str]
    resumed: str | None = None  # when it was last taken up
    skipped: int = 0  # jobs that had ended by then
    search: Search | None = None  # where its settings come from no grid

    @classmethod
    def read(cls, sweep: Path) -> "SweepRecord":
        """The record of a sweep directory.

        Raises:
            RecordError: when it is missing, broken, or of another format.
        """
        return read_record(sweep / SWEEP, cls)

    @property
    def total(self) -> int:
        """How many runs there will be: those of a search that are not suggested yet count, too."""
        planned = self.search.trials * self.search.seeds if self.search else 0
        return max(len(self.jobs), planned)

    def write(self, sweep: Path) -> None:
        """Put it into the sweep directory, in the place of the one before."""
        write_record(sweep / SWEEP, self)


class Skipped(NamedTuple):
    """What could not be read, a run directory or the sweep's own record, and why."""

    name: str
    problem: str

    def __str__(self) -> str:
        return self.problem if self.name == SWEEP else f"{self.name}: {self.problem}"


@dataclass(frozen=True)
class Sweep:
    """A sweep directory with the runs that can be read, in the order of its jobs; ``skipped`` are the others.

    A run directory counts as a sweep of one run.
    """

    directory: Path
    record: SweepRecord | None
    runs: Sequence[Run]
    skipped: Sequence[Skipped] = field(default=())

    @classmethod
    def read(cls, directory: Path) -> "Sweep":
        """Read whatever can be read."""
        skipped, runs, record = [], [], None
        try:
            record = SweepRecord.read(directory) if (directory / SWEEP).exists() else None
        except RecordError as error:
            skipped.append(Skipped(SWEEP, str(error)))
        for path in (*directory.glob(RESULT), *sorted(directory.glob(f"*/{RESULT}"))):
            try:
                runs.append(Run.read(path.parent))
            except RecordError as error:
                skipped.append(Skipped(path.parent.name, str(error)))
        jobs = {name: index for index, name in enumerate(record.jobs)} if record else {}
        runs.sort(key=lambda run: (jobs.get(run.name, len(jobs)), run.result.started, run.name))
        return cls(directory, record, runs, skipped)

    @classmethod
    def joined(cls, directories: Sequence[Path]) -> "Sweep":
        """The runs of several sweeps as one, in which the sweep is one more swept key."""
        names = distinct_names(directories)
        sweeps = [cls.read(directory) for directory in directories]
        runs = [within(run, name) for name, sweep in zip(names, sweeps, strict=True) for run in sweep.runs]
        skipped = [
            Skipped(f"{name}/{lost.name}", lost.problem)
            for name, sweep in zip(names, sweeps, strict=True)
            for lost in sweep.skipped
        ]
        return cls(Path(" and ".join(names)), None, runs, skipped)

    @property
    def keys(self) -> list[str]:
        """What was swept, seeds last: as the record says, and whatever else differs between the runs."""
        declared = self.record.swept if self.record else []
        named = dict.fromkeys(key for run in self.runs for key in run.overrides)
        differing = [key for key in named if len({text(run.overrides, key) for run in self.runs}) > 1]
        return sorted(dict.fromkeys([*declared, *differing]), key=lambda key: key == SEED)

    @property
    def search(self) -> Search | None:
        """How its settings were chosen; None where they come from a grid."""
        return self.record.search if self.record else None

    @property
    def waiting(self) -> int:
        """How many jobs have not begun."""
        begun = {path.parent.name for path in self.directory.glob(f"*/{RESULT}")}
        return len(set(self.record.jobs) - begun) if self.record else 0


def distinct_names(directories: Sequence[Path]) -> list[str]:
    """What to call sweeps: by their last folder, by their whole paths where two of those are the same.

    Example:
        >>> distinct_names([Path("multirun/a"), Path("multirun/b")])
        ['a', 'b']
    """
    names = [directory.resolve().name for directory in directories]
    return names if len(set(names)) == len(names) else [str(directory) for directory in directories]


def within(run: Run, sweep: str) -> Run:
    """A run with the name of its sweep among its overrides."""
    return replace(run, result=replace(run.result, overrides={SWEPT_IN: sweep, **run.overrides}))
