"""The launcher ``slurm``: from Hydra's jobs to an array of SLURM jobs, and one bar over the whole sweep.

Results are read from the run directories, never from what a job returns, so a job that dies costs only its own runs.
"""

import io
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from vae_lab.checks import ArgumentError, ConfigError, integer
from vae_lab.config.build import added_modules, naming
from vae_lab.runs.state import refuse_link
from vae_lab.sweep.local import jobs_of, sweep_of
from vae_lab.sweep.pool import Job
from vae_lab.sweep.slots import Machine
from vae_lab.sweep.slurm_queue import Queue, SlurmSilent, ask, largest_array, still_there
from vae_lab.sweep.slurm_watch import Submitted, Watch

FOLDER = ".submitit"  # in the sweep's directory: what SLURM's jobs read and say, a folder for each launch
GPU = ("gpu", "cuda")  # accelerators that Lightning takes where there is one only
NEEDED = ("sbatch", "sinfo", "squeue", "scancel")
NAME, UNFIT = re.compile(r"[\w.-]+-[0-9a-f]{8}"), re.compile(r"[^\w.-]")  # of a launch, and what must not be in it
SHARED = ("name", "timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "stderr_to_stdout")  # by all executors
OURS = ("submitit_folder", "max_num_timeout", "runs_per_job", "nodes", "tasks_per_node")  # no options of sbatch

MakeJob = Callable[[Path, Sequence[Job], Path, Sequence[str], Path | None, bool], Callable[[], None]]


@dataclass(frozen=True)
class Launch:
    """One launch of a sweep's jobs: the name that its SLURM jobs share, and the folder where they read and write."""

    sweep: Path
    name: str

    @classmethod
    def new(cls, sweep: Path, name: str) -> "Launch":
        """A launch with a fresh folder, so that no job reads what somebody else has put there.

        Raises:
            ConfigError: when the folder would lie elsewhere.
        """
        refuse_link(sweep / FOLDER)
        launch = cls(sweep, f"{UNFIT.sub('_', name)}-{secrets.token_hex(4)}")
        launch.folder.mkdir(parents=True)
        return launch

    @property
    def folder(self) -> Path:
        """Where its jobs read and write."""
        return self.sweep / FOLDER / self.name

    @property
    def stop(self) -> Path:
        """The file that says, once it is there, that no run shall begin any more."""
        return self.folder / "stop"


def launch(
    config: DictConfig,
    loader: Any,
    options: Mapping[str, Any],
    job_overrides: Sequence[Sequence[str]],
    first: int,
    make_job: MakeJob,
) -> None:
    """Submit jobs to SLURM and wait until all have ended. Where the sweeper fails fast, none begins once one failed.

    Args:
        config: of the sweep, Hydra's part included.
        loader: composes the config of a job.
        options: of the launcher.
        job_overrides: of each job.
        first: the number of the first job.
        make_job: makes what a SLURM job calls from the sweep, its runs, the file that stops them, the modules that are
            allowed, a person's folder of settings, and whether the sweep fails fast.

    Raises:
        ConfigError: when SLURM refuses the jobs.
        Interrupted: when a signal ended it; all jobs are cancelled.
    """
    sweep = sweep_of(config)
    batches = divided(jobs_of(config, job_overrides, first), options["runs_per_job"])
    check_queue(sweep)
    launched = Launch.new(sweep, str(options["name"]))
    queue, folder = Queue(launched.name), loader.config_dir and loader.config_dir.absolute()
    fail_fast = bool(config.hydra.sweeper.get("fail_fast"))
    calls = [make_job(sweep, batch, launched.stop, added_modules(), folder, fail_fast) for batch in batches]
    try:
        ids = submit(launched, options, calls)
        print(describe(ids, batches, options, launched), flush=True)
        jobs = [Submitted(job, [run.name for run in batch]) for job, batch in zip(ids, batches, strict=True)]
        Watch(sweep, launched.folder, jobs, queue, launched.stop if fail_fast else None).until_all_have_ended()
    except BaseException:  # nobody would report them any more
        queue.end()
        raise


def divided(runs: Sequence[Job], each: int) -> list[Sequence[Job]]:
    """Runs in batches of ``each``, one for every job.

    Raises:
        ConfigError: for more jobs than SLURM's arrays have, with the number that works.
    """
    most = largest_array()
    if most is not None and len(runs) > most * each:
        allowed = (
            f"SLURM's arrays have at most {most} jobs here: for {len(runs)} runs say {-(-len(runs) // most)} or more"
        )
        raise ConfigError.setting("hydra.launcher.runs_per_job", each, allowed)
    return [runs[i : i + each] for i in range(0, len(runs), each)]


def check_options(options: Mapping[str, Any], accelerator: str) -> None:
    """Refuse a machine without SLURM, and options that do not go with it.

    Args:
        options: of the launcher.
        accelerator: of the jobs' trainers.

    Raises:
        ConfigError: naming what works.
    """
    if missing := [command for command in NEEDED if shutil.which(command) is None]:
        allowed = f"{missing[0]} is not found, so there is no SLURM on this machine; hydra/launcher=local needs none"
        raise ConfigError.setting("hydra/launcher", "slurm", allowed)
    try:
        partitions = ask("sinfo", "--noheader", "--format=%R").split()
    except SlurmSilent as error:
        raise ConfigError.setting("hydra/launcher", "slurm", f"SLURM does not answer: {error}") from error
    if unknown := sorted({*filter(None, str(options["partition"] or "").split(","))} - {*partitions}):
        raise ConfigError.setting("hydra.launcher.partition", unknown[0], f"must be one of {', '.join(partitions)}")
    for name in ("nodes", "tasks_per_node"):
        if options[name] != 1:
            allowed = (
                "must be 1: a run starts the processes of its devices itself; say trainer.devices=N and gpus_per_node=N"
            )
            raise ConfigError.setting(f"hydra.launcher.{name}", options[name], allowed)
    if accelerator in GPU and not Machine.this(accelerator).gpus:
        allowed = "this machine has none to check it on; say auto: each job takes the GPUs that SLURM gives it"
        raise ConfigError.setting("trainer.accelerator", accelerator, allowed)
    with naming("hydra.launcher"):
        if options["submitit_folder"]:
            raise ArgumentError(
                "submitit_folder", options["submitit_folder"], "cannot be set: it lies in the sweep's folder"
            )
        integer("runs_per_job", options["runs_per_job"])
        integer("max_num_timeout", options["max_num_timeout"], low=0)


def check_queue(sweep: Path) -> None:
    """Refuse a sweep whose jobs of an earlier launch are still in the queue: its runs would run twice.

    Raises:
        ConfigError: naming the jobs.
    """
    earlier = [path.name for path in (sweep / FOLDER).glob("*") if NAME.fullmatch(path.name)]
    try:
        jobs = ", ".join(still_there(earlier))
    except SlurmSilent as error:
        raise ConfigError.setting("hydra/launcher", "slurm", f"SLURM does not answer: {error}") from error
    if jobs:
        allowed = f"its SLURM jobs {jobs} are still in the queue; wait for them, or end them with scancel"
        raise ConfigError.setting("hydra.sweep.dir", sweep, allowed)


def submit(launched: Launch, options: Mapping[str, Any], calls: Sequence[Callable[[], None]]) -> list[str]:
    """Submit calls as an array of jobs; returns their numbers, ``57_0`` and so on.

    Raises:
        ConfigError: when SLURM refuses them, in its own words.
    """
    import submitit

    retries = {"slurm_max_num_timeout": options["max_num_timeout"]}
    try:
        with redirect_stderr(io.StringIO()):  # which submitit repeats there
            executor = submitit.AutoExecutor(launched.folder / "%j", "slurm", **retries)
            executor.update_parameters(**parameters(options, launched.name))
            with executor.batch():
                jobs = [executor.submit(call) for call in calls]
    except (submitit.core.utils.FailedJobError, ValueError, NameError, AssertionError) as error:
        words = (str(error).strip().splitlines() or ["sbatch failed"])[-1]
        raise ConfigError.part("hydra.launcher", words.removeprefix("sbatch: error: ")) from error
    return [str(job.job_id) for job in jobs]


def parameters(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Options as submitit's executor calls them. A job may always be put back into the queue.

    Example:
        >>> parameters({"name": "vae_lab", "partition": "gpu", "cpus_per_task": 4}, "mine")["slurm_srun_args"]
        ['--cpus-per-task=4']
    """
    given = {key: value for key, value in options.items() if value is not None and key not in OURS}
    found = {key if key in SHARED else f"slurm_{key}": value for key, value in given.items()}
    if "cpus_per_task" in given:  # since 22.05 a step does not take it over from its job
        found["slurm_srun_args"] = [f"--cpus-per-task={given['cpus_per_task']}"]
    more = {"requeue": True, **given.get("additional_parameters", {})}
    return {**found, "name": name, "slurm_additional_parameters": more}


def describe(
    jobs: Sequence[str], batches: Sequence[Sequence[Job]], options: Mapping[str, Any], launched: Launch
) -> str:
    """What was submitted, in words."""
    each, most = len(batches[0]), min(options["array_parallelism"], len(jobs))
    runs = f"{each} run{'s' if each > 1 else ''} each"
    number = jobs[0].partition("_")[0]
    if len(jobs) == 1:
        return f"launcher slurm: job {number}, {runs}; logs: {launched.folder}"
    return (
        f"launcher slurm: array {number} of {len(jobs)} jobs, {runs}, at most {most} at a time; logs: {launched.folder}"
    )
