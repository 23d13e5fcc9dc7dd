"""The progress of a sweep: its beginning, the position of a run in it, its end. All of it is read from disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from vae_lab.runs.names import RESULT
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result
from vae_lab.runs.state import state_of
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


def begin_again(
    sweep: Path, jobs: Sequence[str], swept: Sequence[str], arguments: Sequence[str], to_do: Sequence[str]
) -> None:
    """Note in ``sweep.json`` that the sweep is taken up, and announce what is to be done.

    Args:
        sweep: its directory.
        jobs: the names of its run directories now, in order.
        swept: the keys that differ between its runs.
        arguments: its settings now, in the place of those before; its options stay.
        to_do: the jobs that still have to run.
    """
    before = SweepRecord.read(sweep)
    options = [argument for argument in before.arguments if argument.startswith(("-", "hydra"))]
    lost = [job for job in before.jobs if job not in jobs]
    skipped, kept = len(jobs) - len(to_do), [*jobs, *lost]
    record = replace(before, jobs=kept, swept=list(swept), arguments=[*options, *arguments], ended=None)
    replace(record, resumed=now().isoformat(), skipped=skipped + len(lost)).write(sweep)
    if lost:
        print(f"note: {', '.join(lost)}: no longer in the grid, left as they are", flush=True)
    print(f"{len(jobs)} runs in {sweep}: {skipped} have ended and are kept, {len(to_do)} to go", flush=True)


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

    @property
    def began(self) -> str:
        """When the sweep began, or was last taken up."""
        return self.record.resumed or self.record.started

    def ended(self) -> int:
        """How many runs of the sweep have ended since it began, or was last taken up."""
        since = self.began if self.record.resumed else ""
        return sum(has_ended(self.sweep / job, since) for job in self.record.jobs)

    def time_left(self) -> str:
        """The sweep's time left in words, at the pace so far; empty where no run has ended, or none is left."""
        elapsed = (now() - datetime.fromisoformat(self.began)).total_seconds()
        ended, total = self.ended(), self.record.total - self.record.skipped
        return f"sweep: {duration(elapsed / ended * (total - ended))} left" if 0 < ended < total else ""

    def __str__(self) -> str:
        total = self.record.total
        return f"[{self.index + 1:>{len(str(total))}}/{total}]"


def has_ended(run: Path, since: str = "") -> bool:
    """Whether a run directory holds the result of a run that began after ``since`` and is no longer running."""
    try:
        started, status = beginning(run, (run / RESULT).stat().st_mtime_ns)
        return started >= since and (status != "running" or Result.read(run).stopped)
    except (OSError, RecordError):
        return False


@cache
def beginning(run: Path, written: int) -> tuple[str, str]:
    """When a run began, and its status, by the record that was ``written`` then: each is read once, not at each job.

    Raises:
        RecordError: where it cannot be read.
    """
    result = Result.read(run)
    return result.started, result.status


def failed_runs(sweep: Path, jobs: Sequence[str]) -> list[str]:
    """The jobs, of those that were launched, that have not ended well."""
    return [job for job in jobs if state_of(sweep / job) != "ended"]


def lost_runs(sweep: Path, jobs: Sequence[str]) -> list[str]:
    """The jobs, of those that were launched, that have left no result: their directory could not be written."""
    return [job for job in jobs if not (sweep / job / RESULT).exists()]


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
