"""What a job of SLURM does: one or more runs of a sweep, one after the other. The launcher submits it, not people.

The job finds it as a pickle that holds names and settings only. A job that SLURM starts again skips the runs that have
ended, and goes on with the others from their last checkpoint.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_lab.checks import Interrupted
from vae_lab.config.build import ALLOW_VARIABLE, allowing
from vae_lab.config.loader import CheckedLoader
from vae_lab.endings import environment, forgiving_output, interrupt, signals
from vae_lab.runs.state import state_of
from vae_lab.sweep.pool import Job
from vae_lab.sweep.record import failed_runs
from vae_lab.sweep.slots import THREADS
from vae_lab.worker import perform

TIME_LIMIT = getattr(signal, "SIGUSR2", signal.SIGTERM)  # what SLURM sends some time before it


@dataclass(frozen=True)
class SlurmJob:
    """The runs of one job.

    Args:
        sweep: the directory of their sweep.
        runs: what is to be run, one after the other.
        stop: the file that says, once it is there, that no run shall begin any more.
        modules: that ``--allow`` names.
        config_dir: a person's own folder of settings.
        fail_fast: whether the first run that fails makes that file. The launcher does so, too, but looks seldom.
    """

    sweep: Path
    runs: Sequence[Job]
    stop: Path
    modules: Sequence[str] = ()
    config_dir: Path | None = None
    fail_fast: bool = False

    def __call__(self) -> None:
        """Run all that have not ended. At the time limit the job is put back into the queue.

        Raises:
            SystemExit: where a signal ended it, or a run could not even begin.
        """
        problems = []
        with time_limit() as requeue:
            try:
                with forgiving_output(), signals(), environment(self.variables), allowing(self.modules):
                    signal.signal(TIME_LIMIT, interrupt)
                    loader = CheckedLoader(self.config_dir)
                    for run in self.open_runs():
                        if problem := perform(loader, run.number, run.overrides):
                            problems.append(f"{run.name}: {problem}")
            except Interrupted as interrupted:
                if interrupted.number == TIME_LIMIT:
                    requeue()
                sys.exit(128 + interrupted.number)
        if problems:
            sys.exit("\n".join(problems))

    def open_runs(self) -> Iterator[Job]:
        """Those that still have to run, each when its turn has come."""
        for run in self.runs:
            if self.stop.exists():
                return
            if state_of(self.sweep / run.name) != "ended":
                yield run
                if self.fail_fast and failed_runs(self.sweep, [run.name]):
                    self.stop.touch()

    @property
    def variables(self) -> dict[str, str]:
        """What a run finds set before torch starts: its share of the CPU, as far as nobody has set it."""
        threads = os.environ.get("SLURM_CPUS_PER_TASK", "1")
        return {ALLOW_VARIABLE: ",".join(self.modules), **{name: os.environ.get(name, threads) for name in THREADS}}

    def checkpoint(self) -> Any:
        """What submitit submits in its place when it is put back into the queue: itself."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@contextmanager
def time_limit() -> Iterator[Any]:
    """Gives what puts the job back into the queue: submitit's own answer to the signal, until the block ends."""
    own = signal.getsignal(TIME_LIMIT)
    try:
        yield lambda: own(TIME_LIMIT, None) if callable(own) else None
    finally:
        signal.signal(TIME_LIMIT, own)
