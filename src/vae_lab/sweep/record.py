"""A sweep's record: its beginning, and where a run stands in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vae_lab.runs.directory import SWEEP, write_json


def begin(sweep: Path, total: int, swept: Sequence[str], arguments: Sequence[str]) -> None:
    """Write ``sweep.json`` and announce the sweep."""
    started = datetime.now(UTC).isoformat()
    content = {"total": total, "swept": list(swept), "arguments": list(arguments), "started": started}
    write_json(sweep / SWEEP, content)
    print(f"{total} run{'s' if total > 1 else ''} in {sweep}, swept: {', '.join(swept) or 'nothing'}", flush=True)


@dataclass(frozen=True)
class Position:
    """Run number ``index`` (from 0) of ``total`` in a sweep that was started at ``started``."""

    index: int
    total: int
    started: datetime

    @classmethod
    def of(cls, sweep: Mapping[str, Any] | None, index: int | None) -> "Position | None":
        """The position of job ``index`` in the sweep that ``sweep.json`` describes, None outside a sweep."""
        if sweep is None or index is None:
            return None
        return cls(index, int(sweep["total"]), datetime.fromisoformat(sweep["started"]))

    def time_left(self, finished: int = 0) -> str:
        """The sweep's time left in words, judged by the pace so far; ``finished`` says whether this run is done."""
        done = self.index + finished
        if done == 0:
            return ""
        if done >= self.total:
            return "last run"
        elapsed = (datetime.now(UTC) - self.started).total_seconds()
        return f"sweep: {duration(elapsed / done * (self.total - done))} left"

    def __str__(self) -> str:
        return f"[{self.index + 1:>{len(str(self.total))}}/{self.total}]"


def duration(seconds: float) -> str:
    """Seconds in words: ``42 s``, ``3 min 5 s``, ``2 h 4 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
