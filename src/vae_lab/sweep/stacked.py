"""The stacked launcher: jobs of one form are trained as one model, a stack on each worker of the launcher ``local``."""

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig

from vae_lab.checks import printable
from vae_lab.sweep.local import describe, jobs_of, run
from vae_lab.sweep.pool import Job, Pool, as_line


@dataclass(frozen=True)
class Stack:
    """Jobs that a worker trains together, and then ends one by one.

    Args:
        name: what reports call it.
        jobs: its jobs.
        always: whether to stack them even where a trial says that it is no faster.
    """

    name: str
    jobs: Sequence[Job]
    always: bool

    @property
    def line(self) -> str:
        """As a worker reads it."""
        return as_line({"stack": [job.plain for job in self.jobs], "name": self.name, "always": self.always})

    @property
    def names(self) -> list[str]:
        """The directories of its runs."""
        return [job.name for job in self.jobs]


def launch(
    config: DictConfig,
    pool: Pool,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    max_stack: int | None = None,
    always: bool = False,
) -> None:
    """Train the jobs in stacks where they can be; the others are run as by the launcher ``local``, beside them.

    Args:
        config: of the sweep, Hydra's part included.
        pool: where they run.
        job_overrides: of each job.
        first: the number of the first job.
        max_stack: how many jobs a stack may have; None: as many as fit into memory.
        always: whether to stack even where a trial says that it is no faster.

    Raises:
        Interrupted: when a signal ended it.
    """
    if first == 0:  # batch may follow batch
        print(f"launcher stacked: {describe(pool.slots)}", flush=True)
    jobs = jobs_of(config, job_overrides, first)
    stacks = [Stack(name, [jobs[i] for i in numbers], always) for name, numbers in plan(pool, jobs, max_stack).items()]
    stacked = {job.number for stack in stacks for job in stack.jobs}
    run(config, pool, [*stacks, *(job for job in jobs if job.number not in stacked)])


def plan(pool: Pool, jobs: Sequence[Job], max_stack: int | None) -> dict[str, list[int]]:
    """The stacks by their names, jobs by their place among all. What is trained alone is said, with the reason.

    A worker finds them: it has imported what that takes.

    Raises:
        Interrupted: when a signal came meanwhile.
    """
    if not jobs:
        return {}
    sharing = sum(slot.devices == pool.slots[0].devices for slot in pool.slots)
    asked = {"plan": [job.plain for job in jobs], "most": max_stack, "at_once": len(pool.slots), "sharing": sharing}
    answer = pool.ask([as_line(asked)])[0]
    if answer["problem"]:
        print(f"launcher stacked: all runs are trained alone: {printable(answer['problem'])}", flush=True)
        return {}
    for line in answer["lines"]:
        print(f"launcher stacked: {printable(line)}", flush=True)
    stacks = answer["stacks"]
    return {f"[stack {number}/{len(stacks)}]": stack for number, stack in enumerate(stacks, start=1)}
