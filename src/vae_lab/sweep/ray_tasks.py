"""The launcher ``ray``: a task of Ray for each job, never retried; its process may serve several jobs in turn.

Ray finds places for the tasks and gives each its GPUs and its share of the CPU. What became of a job is read from its
directory, which all nodes must see; a task only says what went wrong where the job could not say so itself.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from vae_lab.checks import ConfigError, Interrupted, number, one_line, printable
from vae_lab.config.build import added_modules, naming
from vae_lab.endings import heed, heeding
from vae_lab.sweep.pool import GRACE, POLL, Job
from vae_lab.sweep.record import Position, failed_runs

KNOCK = 10.0  # seconds for a cluster to answer
LEAST_STORE = 78_643_200  # bytes, the least that Ray takes: a sweep stores nothing in it
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
OPTIONS: dict[str, Any] = {"include_dashboard": False, "object_store_memory": LEAST_STORE}  # of our own cluster

Perform = Callable[["Task"], tuple[str, str]]  # returns what a job printed, and what went wrong


@dataclass(frozen=True)
class Share:
    """Where jobs run, and what each of them has.

    Args:
        address: of a running cluster; None: one on this machine.
        num_cpus: of each job.
        num_gpus: of each job; a fraction lets several share one.
    """

    address: str | None = None
    num_cpus: float = 1
    num_gpus: float = 0


@dataclass(frozen=True)
class Task:
    """What a job needs to know of the command that launches it: it may run on another machine."""

    job: Job
    config_dir: str | None
    modules: tuple[str, ...]  # that --allow names
    folder: str  # where the command runs


def launch(config: DictConfig, loader: Any, jobs: Sequence[Job], share: Share, perform: Perform) -> None:
    """Run jobs as tasks of Ray. Where the sweeper fails fast, none begins once one has failed.

    Args:
        config: of the sweep, Hydra's part included.
        loader: composes the config of a job.
        jobs: to run.
        share: where they run, and what each has.
        perform: runs one.

    Raises:
        ConfigError: for what does not fit, without Ray, or where no cluster answers.
        Interrupted: when a signal ended it; its tasks have had time to write their records.
    """
    with naming("hydra.launcher"):
        number("num_cpus", share.num_cpus, low=0)
        number("num_gpus", share.num_gpus, low=0)
    ray = connected(share.address)
    print(describe(share, ray.cluster_resources()), flush=True)
    # a process that has seen one GPU cannot be given another: Ray ends it with its task
    remote = ray.remote(num_cpus=share.num_cpus, num_gpus=share.num_gpus, max_retries=0)(perform)
    about = str(loader.config_dir.absolute()) if loader.config_dir else None, added_modules(), os.getcwd()
    waiting = ((remote.remote(Task(job, *about)), job) for job in jobs)
    sweep = Path(str(config.hydra.sweep.dir))
    fail_fast = bool(config.hydra.sweeper.get("fail_fast"))
    begin = places(share, ray.cluster_resources()) if fail_fast else len(jobs)
    running = dict(islice(waiting, begin))
    try:
        with heeding():  # where a signal comes while Ray waits, Ray makes a SystemError of it
            for task, outcome in ended(ray, running):
                job = running.pop(task)
                say(sweep / job.name, job, *outcome)
                if fail_fast and failed_runs(sweep, [job.name]):
                    waiting.close()
                running |= islice(waiting, 1)
    except (Interrupted, KeyboardInterrupt) as error:
        with suppress(Exception):  # of Ray, whose processes may have heard the signal, too
            stop(ray, list(running))
        heed()
        raise Interrupted() from error  # Ray answers Ctrl-C by an exception of its own


def connected(address: str | None) -> Any:
    """Ray, connected to a cluster.

    Raises:
        ConfigError: where no cluster answers.
    """
    import ray

    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not ray.is_initialized():
        options = OPTIONS if address is None else {}
        try:
            knock(address)
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception as error:  # Ray has many for a cluster that does not answer
            raise ConfigError.setting("hydra.launcher.address", address, one_line(error)) from error
    return ray


def knock(address: str | None) -> None:
    """Try a cluster's ``HOST:PORT``: where nobody answers, Ray would try for minutes.

    Raises:
        OSError: when nobody does.
    """
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=KNOCK).close()


def ended(ray: Any, running: dict[Any, Job]) -> Iterator[tuple[Any, tuple[str, str]]]:
    """Each task that has ended, with what its job printed and what went wrong; tasks may be added meanwhile."""
    while running:
        done, _ = ray.wait(list(running), num_returns=1, timeout=POLL)  # a wait without end keeps signals out
        for task in done:
            try:
                yield task, ray.get(task)
            except ray.exceptions.RayError as error:
                yield task, ("", f"its process died: {one_line(error)}")


def say(run: Path, job: Job, printed: str, problem: str) -> None:
    """Print what a job printed, and what went wrong."""
    print(printed, end="", flush=True)
    if problem:
        print(f"{Position.of(run) or ''} {job.name}: failed: {printable(problem)}", flush=True)


def stop(ray: Any, tasks: Sequence[Any]) -> None:
    """Interrupt tasks as Ctrl-C does, give them time for their records, and end those that take longer."""
    for task in tasks:
        ray.cancel(task)
    _, left = ray.wait(tasks, num_returns=len(tasks), timeout=GRACE) if tasks else ((), ())
    for task in left:
        ray.cancel(task, force=True)
    ray.shutdown()


def places(share: Share, has: dict[str, float]) -> int:
    """How many jobs a cluster runs at once.

    Example:
        >>> places(Share(num_cpus=1, num_gpus=0.25), {"CPU": 16.0, "GPU": 2.0})
        8
    """
    needs = {"CPU": share.num_cpus, "GPU": share.num_gpus}
    return max(int(min((has.get(name, 0) / need for name, need in needs.items() if need), default=1)), 1)


def describe(share: Share, has: dict[str, float]) -> str:
    """Where the jobs run, in words.

    Example:
        >>> describe(Share(num_gpus=0.25), {"CPU": 4.0, "GPU": 2.0})
        'launcher ray: 4 CPUs and 2 GPUs, 4 jobs at once'
    """
    gpus = f" and {has['GPU']:g} GPUs" if has.get("GPU") else ""
    return f"launcher ray: {has.get('CPU', 0):g} CPUs{gpus}, {places(share, has)} jobs at once"
