"""The progress of a sweep: its beginning, the position of a run in it, its end. All of it is read from disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result
from vae_lab.runs.sweep import SweepRecord


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)


def begin(
    sweep: Path, jobs: Sequence[str], swept: Sequence[str], arguments: Sequence[str], shared: Sequence[str] = ()
) -> None:
    """Write ``sweep.json`` and announce the sweep.

    Args:
        sweep: its directory.
        jobs: the names of its run directories, in order.
        swept: the keys that differ between its runs.
        arguments: its command line.
        shared: the overrides that all its runs have.
    """
    record = SweepRecord(
        swept=list(swept), shared=list(shared), arguments=list(arguments), started=now().isoformat(), jobs=list(jobs)
    )
    record.write(sweep)
    plural = "s" if len(jobs) > 1 else ""
    print(f"{len(jobs)} run{plural} in {sweep}, swept: {', '.join(swept) or 'nothing'}", flush=True)


def end(sweep: Path) -> None:
    """Note in ``sweep.json`` when the sweep ended."""
    replace(SweepRecord.read(sweep), ended=now().isoformat()).write(sweep)


@dataclass(frozen=True)
class Position:
    """The place of a run among the jobs of its sweep: job ``index``, counted from 0."""

    sweep: Path
    record: SweepRecord
    index: int

    @classmethod
    def of(cls, run: Path) -> "Position | None":
        """The position of a run directory, None where it is no job of a sweep."""
        try:
            record = SweepRecord.read(run.parent)
        except RecordError:
            return None
        return cls(run.parent, record, record.jobs.index(run.name)) if run.name in record.jobs else None

    def ended(self) -> int:
        """How many runs of the sweep have ended by now."""
        return sum(has_ended(self.sweep / job) for job in self.record.jobs)

    def time_left(self) -> str:
        """The sweep's time left in words, at the pace so far; empty where no run has ended, or none is left."""
        elapsed = (now() - datetime.fromisoformat(self.record.started)).total_seconds()
        ended, total = self.ended(), len(self.record.jobs)
        return f"sweep: {duration(elapsed / ended * (total - ended))} left" if 0 < ended < total else ""

    def __str__(self) -> str:
        total = len(self.record.jobs)
        return f"[{self.index + 1:>{len(str(total))}}/{total}]"


def has_ended(run: Path) -> bool:
    """Whether a run directory holds the result of a run that is no longer running."""
    try:
        result = Result.read(run)
        return result.status != "running" or result.stopped
    except RecordError:
        return False


def duration(seconds: float) -> str:
    """Seconds in words: ``42 s``, ``3 min 5 s``, ``2 h 4 min``.

    Example:
        >>> duration(185)
        '3 min 5 s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
