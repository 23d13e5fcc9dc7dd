"""Jobs to a launcher, whichever it is, and what becomes of the sweep at its end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from hydra_plugins.vae_lab_local_launcher import LocalLauncher
from vae_lab.checks import Interrupted, RunFailed, one_line, printable
from vae_lab.config.names import as_written, key_and_text
from vae_lab.config.options import options_now
from vae_lab.report.show import finish
from vae_lab.sweep.checking import check_jobs
from vae_lab.sweep.record import end, failed_runs, lost_runs
from vae_lab.sweep.resume import resume_command
from vae_lab.sweep.slots import Machine

Batch = tuple[Sequence[str], Sequence[Sequence[str]]]  # the names of jobs, and their overrides

LAUNCHER = "hydra/launcher"
A_FEW = 4  # jobs: with no more of them, workers pay more for their imports than they save


def launcher_for(
    launcher: Launcher, context: HydraContext, config: DictConfig, jobs: int, trainer: DictConfig
) -> Launcher:
    """The launcher that a person has named; else the local one where it pays: many jobs and more than one place.

    A job on several devices is left to Hydra's basic launcher.

    Args:
        launcher: as Hydra has made it.
        context: of Hydra.
        config: of the sweep, Hydra's part included.
        jobs: how many there are.
        trainer: the settings of a job's trainer.
    """
    named = any(key_and_text(override)[0] == LAUNCHER for override in as_written(config.hydra.overrides.hydra))
    if named or not isinstance(launcher, BasicLauncher) or jobs <= A_FEW:
        return launcher
    machine = Machine.this(str(trainer.get("accelerator", "auto")))
    if str(trainer.get("devices", 1)) != "1" or len(machine.slots(jobs)) == 1:
        return launcher
    assert launcher.task_function is not None
    local = LocalLauncher()
    local.setup(hydra_context=context, task_function=launcher.task_function, config=config)
    return local


def launched_by(config: DictConfig) -> list[str]:
    """The launcher and its options as they were typed: a record does not bring them back."""
    typed = as_written(config.hydra.overrides.hydra)
    return [override for override in typed if key_and_text(override)[0].startswith((LAUNCHER, "hydra.launcher."))]


@contextmanager
def checked(
    launcher: Launcher, jobs: Sequence[Sequence[str]], compose: Callable[[list[str]], DictConfig], trainer: DictConfig
) -> Iterator[list[list[str]]]:
    """Check the jobs, for a block that launches them; what a person should know of each before it starts.

    The local launcher's workers do it: this process then needs none of what takes seconds to import.

    Args:
        launcher: that will run them.
        jobs: their overrides.
        compose: makes the config of a job.
        trainer: the settings of a job's trainer.

    Raises:
        ConfigError: for the first that does not fit.
    """
    if not isinstance(launcher, LocalLauncher):
        yield check_jobs(compose(list(job)) for job in jobs)
        return
    with launcher.working(len(jobs), str(trainer.get("accelerator", "auto"))):
        yield launcher.check(jobs)


def launch(
    launcher: Launcher,
    config: DictConfig,
    names: Sequence[str],
    jobs: Sequence[Sequence[str]],
    batch_size: int | None,
    fail_fast: bool,
) -> None:
    """Launch the jobs of these names, and say what became of the sweep.

    Args:
        launcher: that runs them.
        config: of the sweep, Hydra's part included.
        names: of their directories.
        jobs: their overrides.
        batch_size: how many the launcher gets at a time; None: one, if it runs one at a time, or else all.
        fail_fast: whether the first failed run ends the sweep.

    Raises:
        RunFailed: at the end, when runs failed.
    """
    at_once = 1 if isinstance(launcher, BasicLauncher) else max(len(jobs), 1)  # none is left of a sweep that has ended
    size = batch_size or at_once
    batches = ((names[start : start + size], jobs[start : start + size]) for start in range(0, len(jobs), size))
    launch_batches(launcher, config, batches, fail_fast)


def launch_batches(launcher: Launcher, config: DictConfig, batches: Iterable[Batch], fail_fast: bool) -> None:
    """Launch batch after batch, each when the one before has ended, and say what became of the sweep.

    Raises:
        RunFailed: at the end, when runs failed.
    """
    directory = Path(str(config.hydra.sweep.dir))
    options = [*options_now(config.hydra), *launched_by(config)]
    go_on = f"to go on: {resume_command(directory, options, many=True)}"
    launched: list[str] = []
    stopped = ""
    try:
        for batch, jobs in batches:
            first = len(launched)
            launched += batch
            try:
                launcher.launch(jobs, initial_job_idx=first)
            except OSError as error:  # before a run has begun: its directory cannot be written
                print(f"{', '.join(batch)}: failed: {printable(one_line(error))}", flush=True)
            if fail_fast and failed_runs(directory, batch):
                stopped = "; fail_fast=true ended the sweep there"
                break
    except Interrupted:
        finish(directory)
        print(go_on, flush=True)
        raise
    end(directory)
    lost = lost_runs(directory, launched)
    failed = [finish(directory), *([f"no result: {'; '.join(lost)}"] if lost else [])]
    if any(failed):
        print(go_on, flush=True)
        raise RunFailed("; ".join(filter(None, failed)) + stopped)
