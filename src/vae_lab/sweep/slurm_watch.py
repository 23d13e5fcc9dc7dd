"""The jobs of a launch as they end: what became of each run, read from its directory and, where it died, from SLURM."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from vae_lab.checks import printable
from vae_lab.report.show import summary_line
from vae_lab.runs.lock import in_use
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result
from vae_lab.runs.state import ENDED
from vae_lab.sweep.pool import LAST_LINES
from vae_lab.sweep.record import Position, now
from vae_lab.sweep.slurm_queue import Queue, SlurmSilent, State

SOONEST, LATEST, SLOWER = (
    1.0,
    15.0,
    1.2,
)  # seconds from one look at the queue to the next: longer, the longer nothing happens
SETTLE = 6.0  # seconds that the files of a job that has ended may take to be seen here, or SLURM to start it again
TAIL = 4096  # bytes of a log that are read for its last lines


@dataclass(frozen=True)
class Submitted:
    """A job of SLURM and the names of its runs."""

    id: str
    runs: Sequence[str]


class Watch:
    """Follows jobs until all have ended, and says how each run went.

    Args:
        sweep: the directory of the sweep.
        folder: where the jobs read and write.
        jobs: all of them.
        queue: says how they are.
        stop: where the sweeper fails fast, the file to make once a run has failed: no job begins another one then.
    """

    def __init__(self, sweep: Path, folder: Path, jobs: Sequence[Submitted], queue: Queue, stop: Path | None) -> None:
        self.sweep, self.folder, self.queue, self.stop = sweep, folder, queue, stop
        self.waiting = {job.id: job for job in jobs}
        self.before = {run: self.started(run) for job in jobs for run in job.runs}
        self.open = dict.fromkeys(self.before)  # runs that nothing was said of; in order
        self.ended_at: dict[str, float] = {}
        self.said: set[str] = set()
        self.stopped = False
        self.say: Callable[[str], None] = print

    def until_all_have_ended(self) -> None:
        """Look at the queue and the runs again and again."""
        with tqdm(total=len(self.open), desc="sweep", unit="run", disable=not sys.stdout.isatty(), leave=False) as bar:
            self.say = bar.write
            pause = SOONEST
            while self.waiting:
                pause = SOONEST if self.look(bar) else min(pause * SLOWER, LATEST)
                sys.stdout.flush()
                if self.waiting:
                    time.sleep(min(pause, SETTLE) if self.ended_at else pause)

    def look(self, bar: tqdm) -> bool:
        """Look once; returns whether there was anything to say."""
        try:
            states = self.queue.states(list(self.waiting))
        except SlurmSilent as error:
            self.mention(f"SLURM does not answer, the jobs are waited for: {error}")
            return False
        self.say_what_waits(states)
        begun = [job for job in self.waiting.values() if states[job.id].name != "PENDING"]
        told = [line for job in begun for line in self.lines(job, states[job.id])]
        for line in told:
            bar.update()
            if line:
                self.say(line)
        running = sum(state.name == "RUNNING" for state in states.values())
        bar.set_postfix_str(f"{running} jobs run, {sum(state.name == 'PENDING' for state in states.values())} wait")
        return bool(told)

    def lines(self, job: Submitted, state: State) -> Iterator[str]:
        """A line for each run of a job that has ended since; an empty one where nothing is worth saying."""
        for run in [run for run in job.runs if run in self.open]:
            result = self.result(run)
            fresh = result is not None and result.started != self.before[run]
            if result and fresh and (result.status in ENDED or (result.status == "failed" and not cut_off(result))):
                yield self.tell(run, result)
        if not state.ended:
            self.ended_at.pop(job.id, None)
            return
        left = [run for run in job.runs if run in self.open]
        if left and time.monotonic() - self.ended_at.setdefault(job.id, time.monotonic()) < SETTLE:
            return
        for run in left:
            yield self.tell_lost(run, job, state)
        self.ended_at.pop(job.id, None)
        del self.waiting[job.id]

    def tell(self, run: str, result: Result) -> str:
        """What became of a run, in a line."""
        del self.open[run]
        if result.status != "failed":
            return f"{self.place(run)}: {summary_line(result)}"
        self.stop_others()
        return f"{self.place(run)}: failed: {printable(result.reason or '')}; see {self.sweep / run / 'run.log'}"

    def tell_lost(self, run: str, job: Submitted, state: State) -> str:
        """What became of a run whose job ended without saying so. Its record notes it: nobody takes it for running."""
        del self.open[run]
        result = self.result(run)
        begun = result is not None and result.started != self.before[run]
        if self.stopped and not begun:  # it was not to begin
            return ""
        reason = f"its SLURM job {job.id} ended as {state}"
        if result and begun and result.status == "running" and not in_use(self.sweep / run):
            with suppress(OSError):  # a full disk: the line below still says it
                replace(result, status="failed", reason=reason, ended=now().isoformat()).write(self.sweep / run)
        self.stop_others()
        return f"{self.place(run)}: failed: {reason}; it last said: {printable(last_words(self.folder, job.id))}"

    def stop_others(self) -> None:
        """Once a run has failed, let none begin that has not, where the sweep fails fast."""
        if self.stop and not self.stopped:
            self.stopped = True
            self.stop.touch()
            self.queue.cancel("PENDING")

    def say_what_waits(self, states: dict[str, State]) -> None:
        """Say of jobs that wait for another reason than their turn that they do, once for each reason."""
        for job, state in states.items():
            if state.trouble:
                self.mention(f"job {job} waits, perhaps for ever: {state.trouble}", state.trouble)

    def mention(self, line: str, key: str = "") -> None:
        """Say something once."""
        if (key or line) not in self.said:
            self.said.add(key or line)
            self.say(f"note: {line}")

    def place(self, run: str) -> str:
        """The position of a run in its sweep, and its name."""
        return f"{Position.of(self.sweep / run) or ''} {run}".strip()

    def started(self, run: str) -> str:
        """When the run in a directory began, empty where there is none."""
        result = self.result(run)
        return result.started if result else ""

    def result(self, run: str) -> Result | None:
        """The record of a run, None where there is none that can be read."""
        try:
            return Result.read(self.sweep / run)
        except RecordError:
            return None


def cut_off(result: Result) -> bool:
    """Whether a signal ended the run: its job may come back and go on with it."""
    return (result.reason or "").startswith("interrupted")


def last_words(folder: Path, job: str) -> str:
    """The last lines of a job's log, of its errors before its output."""
    for ending in ("err", "out"):
        for file in sorted((folder / job).glob(f"*_log.{ending}")):
            text = file.read_bytes()[-TAIL:].decode(errors="replace")
            if lines := [line.strip() for line in text.splitlines() if line.strip()]:
                return " | ".join(lines[-LAST_LINES:])
    return "nothing"
