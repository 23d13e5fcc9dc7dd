"""What SLURM says of the jobs of one launch: which wait, which run, which have ended and how.

They are asked for by the name that they share. ``squeue`` is asked first: it knows whatever waits or runs, and what has
ended for some minutes. ``sacct`` knows for longer, but only where accounting is on. What neither knows has ended.
"""

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

ENDED = frozenset(
    (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
        *("PREEMPTED", "REVOKED", "TIMEOUT"),
    )
)
LEAVE, LOOK = 2.0, 0.3  # seconds that cancelled jobs have before the command ends, and between two looks at them
PATIENCE = 60.0  # seconds that a command of SLURM may take
ORDINARY = ("None", "Priority", "Resources", "BeginTime", "JobArrayTaskLimit", "Dependency", "Cleaning")


@dataclass(frozen=True)
class State:
    """The state of a job as SLURM writes it, ``RUNNING``, and its reason.

    Example:
        >>> State("FAILED", "NonZeroExitCode").ended, str(State("FAILED", "NonZeroExitCode"))
        (True, 'FAILED (NonZeroExitCode)')
    """

    name: str
    reason: str = "None"

    @property
    def ended(self) -> bool:
        """Whether it will not run again."""
        return self.name in ENDED

    @property
    def trouble(self) -> str:
        """Why it waits, where that is not for its turn: it may wait for ever."""
        usual = self.name != "PENDING" or self.reason in ORDINARY or "Limit" in self.reason or "Max" in self.reason
        return "" if usual else self.reason

    def __str__(self) -> str:
        return self.name if self.reason == "None" else f"{self.name} ({self.reason})"


GONE = State("COMPLETED", "SLURM no longer knows it")


class SlurmSilent(RuntimeError):
    """SLURM does not answer: its controller is down, or cannot be reached."""


class Queue:
    """The jobs of one launch.

    Args:
        name: that they all have, and no other job.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def states(self, jobs: Sequence[str]) -> dict[str, State]:
        """The state of each job.

        Raises:
            SlurmSilent: when SLURM does not answer.
        """
        known = table(
            ask("squeue", "--noheader", "--array", "--states=all", f"--name={self.name}", "--format=%i|%T|%r")
        )
        if gone := [job for job in jobs if job not in known]:
            known = remembered(gone) | known
        return {job: known.get(job, GONE) for job in jobs}

    def cancel(self, state: str = "") -> None:
        """Cancel those that are in this state, or all; where that fails, say what to do."""
        command = ["scancel", f"--jobname={self.name}", *([f"--state={state}"] if state else [])]
        try:
            ask(*command)
        except SlurmSilent as error:
            print(f"note: the jobs could not be cancelled ({error}); do it by {' '.join(command)}", flush=True)

    def end(self) -> None:
        """Cancel all, and give them a moment to write their records."""
        self.cancel()
        latest = time.monotonic() + LEAVE
        with suppress(SlurmSilent):
            while time.monotonic() < latest and still_there([self.name]):
                time.sleep(LOOK)


def still_there(names: Sequence[str]) -> list[str]:
    """The jobs of these names that wait or run.

    Raises:
        SlurmSilent: when SLURM does not answer.
    """
    if not names:
        return []
    known = table(ask("squeue", "--noheader", f"--name={','.join(names)}", "--format=%A|%T|%r"))
    return sorted(job for job, state in known.items() if not state.ended)


def remembered(jobs: Sequence[str]) -> dict[str, State]:
    """How jobs that have left the queue ended, as far as accounting knows."""
    arrays = ",".join(sorted({job.partition("_")[0] for job in jobs}))
    command = ("sacct", "--noheader", "--parsable2", "--allocations", "--format=JobID,State", f"--jobs={arrays}")
    try:
        told = table(ask(*command))
    except SlurmSilent:  # no accounting here, or no sacct
        return {}
    return {job: state for job, state in told.items() if state.ended}


def largest_array() -> int | None:
    """How many jobs an array may have; None where SLURM does not say."""
    try:
        lines = ask("scontrol", "show", "config").splitlines()
    except SlurmSilent:
        return None
    sizes = [line.partition("=")[2].strip() for line in lines if line.startswith("MaxArraySize")]
    return int(sizes[0]) if sizes and sizes[0].isdecimal() else None


def table(text: str) -> dict[str, State]:
    """States by job, from lines ``12_3|FAILED|NonZeroExitCode`` or ``12_3|CANCELLED by 0``.

    Example:
        >>> table("12_3|CANCELLED by 0")
        {'12_3': State(name='CANCELLED', reason='None')}
    """
    rows = [line.split("|") for line in text.splitlines() if "|" in line]
    return {row[0]: State(row[1].split()[0].rstrip("+"), *row[2:3]) for row in rows if row[1].strip()}


def ask(*command: str) -> str:
    """What a command of SLURM prints.

    Raises:
        SlurmSilent: when it fails, with its last line.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmSilent(f"{command[0]}: {error}") from error
    if done.returncode:
        raise SlurmSilent((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1])
    return done.stdout
