"""Jobs over worker processes: a queue of jobs, a process for each slot, kept from job to job.

A fresh process pays seconds of imports, so a worker is started before there is a job for it, and kept. It dies only
with a job that breaks it; the next job of its slot gets a new one. The parent asks a worker in a line of JSON; the
worker answers in a line that begins with ``MARK``, and whatever else it prints is passed on.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from vae_lab.checks import Interrupted
from vae_lab.endings import how_it_ended
from vae_lab.sweep.slots import Slot

MARK = "\x1e"  # the record separator of RFC 7464
COMMAND = (sys.executable, "-m", "vae_lab.worker")
GRACE = 5.0  # seconds that an interrupted worker has to write its record
LAST_LINES = 3  # of a worker that died, for the report
POLL = 0.2  # seconds; a thread that waits without end keeps signals out


class Request(Protocol):
    """What a worker is asked to do, as it reads it."""

    @property
    def line(self) -> str: ...


R = TypeVar("R", bound=Request)


@dataclass(frozen=True)
class Job:
    """One job: its number in the sweep, what a report calls it, and the overrides that compose its config."""

    number: int
    name: str
    overrides: Sequence[str]

    @property
    def plain(self) -> dict[str, Any]:
        """What a worker needs of it."""
        return {"number": self.number, "overrides": list(self.overrides)}

    @property
    def line(self) -> str:
        """As a worker reads it."""
        return as_line(self.plain)

    @property
    def names(self) -> list[str]:
        """The directories of its runs."""
        return [self.name]


def as_line(request: Mapping[str, Any]) -> str:
    """A request as a worker reads it."""
    return json.dumps(request) + "\n"


class Worker:
    """A process that runs jobs one after the other, in a process group of its own and with its slot's environment."""

    def __init__(self, slot: Slot, command: Sequence[str]) -> None:
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

    def ask(self, line: str, say: Callable[[str], None]) -> Mapping[str, Any]:
        """Ask it something and wait for its answer; one that died has a ``problem``.

        Args:
            line: what it is asked.
            say: called with each line that it prints meanwhile.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        last: deque[str] = deque(maxlen=LAST_LINES)
        with suppress(BrokenPipeError):
            self.process.stdin.write(line)
            self.process.stdin.flush()
        for said in self.process.stdout:
            if said.startswith(MARK):
                answer: dict[str, Any] = json.loads(said.removeprefix(MARK))
                return answer
            last.append(said.strip())
            say(said.rstrip("\n"))
        words = " | ".join(filter(None, last)) or "nothing"
        return {"problem": f"its process {how_it_ended(self.process.wait())}; it last said: {words}"}

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


class Pool:
    """Runs jobs on slots: each slot takes the next job when its own has ended, so no slot ever holds two.

    Its workers are gone at the end of its block, or once ``run`` has no job left for them.

    Args:
        slots: where jobs run.
        command: that starts a worker.
        lasting: whether workers wait for another ``run`` when one has no job left for them.
    """

    def __init__(self, slots: Sequence[Slot], command: Sequence[str] = COMMAND, lasting: bool = False) -> None:
        self.slots, self.command, self.lasting = slots, command, lasting
        self.workers: dict[int, Worker] = {}
        self.stopping = threading.Event()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind and not issubclass(kind, Interrupted):  # which all have been sent
            for worker in self.workers.values():
                worker.signal(signal.SIGTERM)
        self.end()

    def end(self) -> None:
        """Wait until all workers have ended."""
        for worker in self.workers.values():
            worker.dismiss()  # all at once: each ends by itself
        for worker in self.workers.values():
            worker.end()

    def start(self) -> None:
        """Start the workers: their imports take seconds, in which there may be other things to do."""
        for index in range(len(self.slots)):
            self.worker(index)

    def ask(self, lines: Sequence[str]) -> list[Mapping[str, Any]]:
        """Ask one worker each; returns their answers.

        Raises:
            Interrupted: when a signal came meanwhile.
        """
        answers: list[Mapping[str, Any]] = [{}] * len(lines)

        def ask(index: int) -> None:
            answers[index] = self.worker(index).ask(lines[index], lambda _: None)

        self.together([partial(ask, index) for index in range(len(lines))])
        return answers

    def run(
        self,
        jobs: Iterable[R],
        ended: Callable[[R, str], None],
        say: Callable[[str], None] = print,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run all jobs.

        Args:
            jobs: to run.
            ended: called with each job that has ended, and with what went wrong where the job could not say so itself.
            say: called with each line that a worker prints.
            stop: asked before each job whether no more shall begin.

        Raises:
            Interrupted: when a signal ended it; its workers have had time to write their records, and are gone.
        """
        waiting: SimpleQueue[R] = SimpleQueue()
        for job in jobs:
            waiting.put(job)

        def serve(index: int) -> None:
            while not self.stopping.is_set() and not stop():
                try:
                    job = waiting.get_nowait()
                except Empty:
                    break
                problem = str(self.worker(index).ask(job.line, say)["problem"])
                if not self.stopping.is_set():
                    ended(job, problem)
            if index in self.workers and not self.lasting:
                self.workers[index].dismiss()

        self.together([partial(serve, index) for index in range(len(self.slots))])

    def together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Do all of this, each in a thread.

        Raises:
            Interrupted: when a signal came; the workers have got it too, and are gone.
        """
        threads = [threading.Thread(target=task, daemon=True) for task in tasks]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL)
        except (Interrupted, KeyboardInterrupt) as interrupted:
            self.interrupt(getattr(interrupted, "number", signal.SIGINT))
            self.end()  # whoever reports the sweep finds their records written
            raise

    def interrupt(self, number: int) -> None:
        """Let no job begin any more, and send a signal to all workers."""
        self.stopping.set()
        for worker in self.workers.values():
            if worker.alive:
                worker.signal(number)

    def worker(self, index: int) -> Worker:
        """The worker of a slot: the one it has, or a new one where that has died."""
        if index in self.workers and not self.workers[index].alive:
            self.workers.pop(index).end()
        if index not in self.workers:
            self.workers[index] = Worker(self.slots[index], self.command)
        return self.workers[index]
