"""Jobs over worker processes: a queue of jobs, a process for each slot, kept from job to job.

A fresh process pays seconds of imports, so a worker is kept. It dies only with a job that breaks it; the next job of
its slot gets a new one. The parent tells a worker its job as a line of JSON; the worker answers in a line that begins
with ``MARK``, and whatever else it prints is passed on.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from vae_lab.checks import Interrupted
from vae_lab.endings import how_it_ended
from vae_lab.sweep.slots import Slot

MARK = "\x1e"  # the record separator of RFC 7464
COMMAND = (sys.executable, "-m", "vae_lab.worker")
GRACE = 5.0  # seconds that an interrupted worker has to write its record
LAST_LINES = 3  # of a worker that died, for the report
POLL = 0.2  # seconds; a thread that waits without end keeps signals out


@dataclass(frozen=True)
class Job:
    """One job: its number in the sweep, what a report calls it, and the overrides that compose its config."""

    number: int
    name: str
    overrides: Sequence[str]

    @property
    def line(self) -> str:
        """As a worker reads it."""
        return json.dumps({"number": self.number, "overrides": list(self.overrides)}) + "\n"


class Worker:
    """A process that runs jobs one after the other, in a process group of its own and with its slot's environment."""

    def __init__(self, slot: Slot, command: Sequence[str], say: Callable[[str], None]) -> None:
        self.say = say
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | slot.environment,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def run(self, job: Job) -> str:
        """Run a job to its end; returns what went wrong, empty where nothing did or the job has said so itself."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        last: deque[str] = deque(maxlen=LAST_LINES)
        with suppress(BrokenPipeError):
            self.process.stdin.write(job.line)
            self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(MARK):
                return str(json.loads(line.removeprefix(MARK))["problem"])
            last.append(line.strip())
            self.say(line.rstrip("\n"))
        words = " | ".join(filter(None, last)) or "nothing"
        return f"its process {how_it_ended(self.process.wait())}; it last said: {words}"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the worker and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def dismiss(self) -> None:
        """Tell it that there are no more jobs: it ends by itself."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def end(self) -> None:
        """Wait until it has ended, and kill it where it takes too long."""
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        self.dismiss()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()


@contextmanager
def dismissing(workers: Mapping[int, Worker]) -> Iterator[None]:
    """End the workers that pools have kept when the block ends."""
    try:
        yield
    finally:
        for worker in workers.values():
            worker.dismiss()
        for worker in workers.values():
            worker.end()


class Pool:
    """Runs jobs on slots: each slot takes the next job when its own has ended, so no slot ever holds two.

    Args:
        slots: where jobs run.
        ended: called with each job that has ended, and with what went wrong where the job could not say so itself.
        say: called with each line that a worker prints.
        command: that starts a worker.
        stop: asked before each job whether no more shall begin.
        kept: workers by slot from one pool to the next, which ``dismissing`` ends; None: they end with the jobs.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        ended: Callable[[Job, str], None],
        say: Callable[[str], None] = print,
        command: Sequence[str] = COMMAND,
        stop: Callable[[], bool] = lambda: False,
        kept: dict[int, Worker] | None = None,
    ) -> None:
        self.slots, self.ended, self.say, self.command, self.stop = slots, ended, say, command, stop
        self.waiting: SimpleQueue[Job] = SimpleQueue()
        self.keeps = kept is not None
        self.workers: dict[int, Worker] = {} if kept is None else kept
        self.stopping = threading.Event()

    def run(self, jobs: Iterable[Job]) -> None:
        """Run all jobs.

        Raises:
            Interrupted: when a signal ended it; its workers have had time to write their records, and are gone.
        """
        for job in jobs:
            self.waiting.put(job)
        threads = [threading.Thread(target=self.serve, args=(i,), daemon=True) for i in range(len(self.slots))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL)
        except (Interrupted, KeyboardInterrupt) as interrupted:
            self.interrupt(getattr(interrupted, "number", signal.SIGINT))
            raise
        finally:
            for worker in self.workers.values() if self.stopping.is_set() or not self.keeps else ():
                worker.end()

    def interrupt(self, number: int) -> None:
        """Let no job begin any more, and send a signal to all workers."""
        self.stopping.set()
        for worker in self.workers.values():
            if worker.alive:
                worker.signal(number)

    def serve(self, index: int) -> None:
        """Run jobs on a slot until none is left."""
        while not self.stopping.is_set() and not self.stop():
            try:
                job = self.waiting.get_nowait()
            except Empty:
                break
            problem = self.worker(index).run(job)
            if not self.stopping.is_set():
                self.ended(job, problem)
        if index in self.workers and not self.keeps:
            self.workers[index].dismiss()

    def worker(self, index: int) -> Worker:
        """The worker of a slot: the one it has, or a new one where that has died."""
        if index in self.workers and not self.workers[index].alive:
            self.workers.pop(index).end()
        if index not in self.workers:
            self.workers[index] = Worker(self.slots[index], self.command, self.say)
        return self.workers[index]
