"""The local launcher: from Hydra's jobs to slots, workers and one bar over the whole sweep."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from tqdm import tqdm

from vae_lab.checks import printable
from vae_lab.config.build import naming
from vae_lab.config.names import as_written, quoted
from vae_lab.sweep.pool import COMMAND, Job, Pool
from vae_lab.sweep.record import Position
from vae_lab.sweep.slots import Machine, Slot

SUBDIR = "hydra.sweep.subdir="


def launch(
    config: DictConfig,
    loader: Any,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    devices: int | Sequence[int | str] | None,
    jobs_per_device: int,
    devices_per_job: int,
) -> None:
    """Run jobs side by side on this machine.

    Args:
        config: of the sweep, Hydra's part included.
        loader: composes the config of a job.
        job_overrides: of each job.
        first: the number of the first job.
        devices: see ``Machine.slots``; so are the next two.
        jobs_per_device: how many share one.
        devices_per_job: how many each has.

    Raises:
        ConfigError: for settings that do not fit this machine.
        Interrupted: when a signal ended it.
    """
    sweep = Path(str(config.hydra.sweep.dir)).absolute()
    shared = [*as_written(config.hydra.overrides.hydra), f"hydra.sweep.dir={quoted(str(sweep))}"]
    jobs = [Job(first + i, name_of(own), [*shared, *own]) for i, own in enumerate(job_overrides)]
    accelerator = str(loader.load_sweep_config(config, list(job_overrides[0])).trainer.get("accelerator", "auto"))
    with naming("hydra.launcher"):
        slots = Machine.this(accelerator).slots(len(jobs), devices, jobs_per_device, devices_per_job)
    folder = loader.config_dir
    command = [*COMMAND, *([f"--config-dir={folder}"] if folder else [])]
    print(describe(slots), flush=True)
    with tqdm(total=len(jobs), desc="sweep", unit="run", disable=not sys.stdout.isatty(), leave=False) as bar:
        Pool(slots, lambda job, problem: report(sweep, job, problem), bar.write, command).run(jobs)


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


def report(sweep: Path, job: Job, problem: str) -> None:
    """Print what became of a job that could not say so itself."""
    place = Position.of(sweep / job.name) or ""
    print(f"{place} {job.name}: failed: {printable(problem)}", flush=True)
