"""The local launcher: from Hydra's jobs to slots, workers and one bar over the whole sweep."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from tqdm import tqdm

from vae_lab.checks import ConfigError, printable
from vae_lab.config.build import naming
from vae_lab.config.names import as_written, quoted
from vae_lab.sweep.pool import COMMAND, Job, Pool, Request, as_line
from vae_lab.sweep.record import Position, failed_runs
from vae_lab.sweep.slots import Machine, Places, Slot

SUBDIR = "hydra.sweep.subdir="


def make_pool(loader: Any, jobs: int, accelerator: str, places: Places, lasting: bool = False) -> Pool:
    """The pool for so many jobs.

    Args:
        loader: composes their configs, in the workers too.
        jobs: how many there are.
        accelerator: of their trainers.
        places: how the machine is divided.
        lasting: whether more jobs follow when these have ended.

    Raises:
        ConfigError: for places that this machine does not have.
    """
    with naming("hydra.launcher"):
        slots = Machine.this(accelerator).slots(jobs, places)
    folder = loader.config_dir
    return Pool(slots, [*COMMAND, *([f"--config-dir={folder}"] if folder else [])], lasting)


def sweep_of(config: DictConfig) -> Path:
    """The directory of a sweep."""
    return Path(str(config.hydra.sweep.dir)).absolute()


def whole(config: DictConfig, job: Sequence[str]) -> list[str]:
    """The overrides of a job with those of Hydra's own part, which all jobs share."""
    shared = as_written(config.hydra.overrides.hydra)
    return [*shared, f"hydra.sweep.dir={quoted(str(sweep_of(config)))}", *job]


def check(pool: Pool, config: DictConfig, jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Let the workers check the jobs, each its share; returns what a person should know of each job.

    Raises:
        ConfigError: for the first job that does not fit.
        Interrupted: when a signal came meanwhile.
    """
    shares = max(min(len(pool.slots), len(jobs)), 1)
    cuts = [jobs[len(jobs) * share // shares : len(jobs) * (share + 1) // shares] for share in range(shares)]
    answers = pool.ask([as_line({"check": [whole(config, job) for job in cut]}) for cut in cuts])
    for answer in answers:
        if answer["problem"]:
            raise ConfigError(answer["problem"])
    return [late for answer in answers for late in answer["late"]]


def launch(config: DictConfig, pool: Pool, job_overrides: Sequence[Sequence[str]], first: int) -> None:
    """Run jobs side by side on this machine.

    Args:
        config: of the sweep, Hydra's part included.
        pool: where they run.
        job_overrides: of each job.
        first: the number of the first job.

    Raises:
        Interrupted: when a signal ended it.
    """
    if first == 0:  # batch may follow batch
        print(f"launcher local: {describe(pool.slots)}", flush=True)
    run(config, pool, jobs_of(config, job_overrides, first))


class Piece(Request, Protocol):
    """What a worker does in one go: a job, or several."""

    @property
    def name(self) -> str: ...
    @property
    def names(self) -> list[str]: ...


def run(config: DictConfig, pool: Pool, pieces: Sequence[Piece]) -> None:
    """Let the workers do it all, with one bar. Where the sweeper fails fast, nothing begins once a run has failed.

    Raises:
        Interrupted: when a signal ended it.
    """
    sweep, fail_fast = sweep_of(config), bool(config.hydra.sweeper.get("fail_fast"))
    failed = threading.Event()

    def ended(piece: Piece, problem: str) -> None:
        bar.update(len(piece.names))
        if problem:
            bar.write(f"{Position.of(sweep / piece.name) or ''} {piece.name}: failed: {printable(problem)}".lstrip())
        if fail_fast and failed_runs(sweep, piece.names):
            failed.set()

    runs = sum(len(piece.names) for piece in pieces)
    with tqdm(total=runs, desc="sweep", unit="run", disable=not sys.stdout.isatty(), leave=False) as bar:
        pool.run(pieces, ended, bar.write, failed.is_set)


def jobs_of(config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
    """The jobs of a sweep, numbered from ``first``, with all overrides that compose their configs in any process."""
    return [Job(first + i, name_of(own), whole(config, own)) for i, own in enumerate(job_overrides)]


def name_of(overrides: Sequence[str]) -> str:
    """The name of a job's directory, as its last override for it says.

    Example:
        >>> name_of(["seed=1", "hydra.sweep.subdir='seed=1'"])
        'seed=1'
    """
    named = next(override for override in reversed(overrides) if override.startswith(SUBDIR))
    return str(OverridesParser.create().parse_override(named).value())


def describe(slots: Sequence[Slot]) -> str:
    """Where the jobs run, in words.

    Example:
        >>> describe([Slot(threads=1), Slot(threads=1)])
        '2 CPU workers, 1 thread each'
    """
    threads = slots[0].threads
    share = f"{threads} thread{'s' if threads > 1 else ''} each"
    if not slots[0].devices:
        return f"{len(slots)} CPU worker{'s' if len(slots) > 1 else ''}, {share}"
    held = sorted({",".join(slot.devices) for slot in slots})
    return f"{len(slots)} workers on GPU {' and '.join(held)}, {share}"
