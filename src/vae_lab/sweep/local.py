"""The local launcher: from Hydra's jobs to slots, workers and one bar over the whole sweep."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from tqdm import tqdm

from vae_lab.checks import printable
from vae_lab.config.build import naming
from vae_lab.config.names import as_written, quoted
from vae_lab.sweep.pool import COMMAND, Job, Pool, Worker
from vae_lab.sweep.record import Position, failed_runs
from vae_lab.sweep.slots import Machine, Places, Slot

SUBDIR = "hydra.sweep.subdir="


def launch(
    config: DictConfig,
    loader: Any,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    places: Places,
    kept: dict[int, Worker] | None = None,
) -> None:
    """Run jobs side by side on this machine. Where the sweeper fails fast, none begins once one has failed.

    Args:
        config: of the sweep, Hydra's part included.
        loader: composes the config of a job.
        job_overrides: of each job.
        first: the number of the first job.
        places: how the machine is divided.
        kept: workers from an earlier launch, for a later one.

    Raises:
        ConfigError: for places that this machine does not have.
        Interrupted: when a signal ended it.
    """
    sweep, jobs = Path(str(config.hydra.sweep.dir)), jobs_of(config, job_overrides, first)
    accelerator = str(loader.load_sweep_config(config, list(job_overrides[0])).trainer.get("accelerator", "auto"))
    with naming("hydra.launcher"):
        slots = Machine.this(accelerator).slots(len(jobs), places)
    folder = loader.config_dir
    command = [*COMMAND, *([f"--config-dir={folder}"] if folder else [])]
    if not kept:
        print(describe(slots), flush=True)
    fail_fast, failed = bool(config.hydra.sweeper.get("fail_fast")), threading.Event()

    def ended(job: Job, problem: str) -> None:
        bar.update()
        if problem:
            bar.write(f"{Position.of(sweep / job.name) or ''} {job.name}: failed: {printable(problem)}")
        if fail_fast and failed_runs(sweep, [job.name]):
            failed.set()

    with tqdm(total=len(jobs), desc="sweep", unit="run", disable=not sys.stdout.isatty(), leave=False) as bar:
        Pool(slots, ended, bar.write, command, failed.is_set, kept).run(jobs)


def jobs_of(config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
    """The jobs of a sweep, numbered from ``first``, with all overrides that compose their configs in any process."""
    sweep = Path(str(config.hydra.sweep.dir)).absolute()
    shared = [*as_written(config.hydra.overrides.hydra), f"hydra.sweep.dir={quoted(str(sweep))}"]
    return [Job(first + i, name_of(own), [*shared, *own]) for i, own in enumerate(job_overrides)]


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
        'launcher local: 2 CPU workers, 1 thread each'
    """
    threads = slots[0].threads
    share = f"{threads} thread{'s' if threads > 1 else ''} each"
    if not slots[0].devices:
        return f"launcher local: {len(slots)} CPU worker{'s' if len(slots) > 1 else ''}, {share}"
    held = sorted({",".join(slot.devices) for slot in slots})
    return f"launcher local: {len(slots)} workers on GPU {' and '.join(held)}, {share}"
