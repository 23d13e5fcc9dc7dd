"""The stacked launcher: jobs of one form are trained as one model; each then ends as a run of its own."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from tqdm import tqdm

from vae_lab.callbacks.progress import EVERY_SECONDS
from vae_lab.checks import one_line, printable
from vae_lab.config.changes import RECORDED
from vae_lab.config.compose import container
from vae_lab.config.names import override_values
from vae_lab.config.options import save_options
from vae_lab.stacking.job import Run
from vae_lab.stacking.plan import count, plan
from vae_lab.stacking.train import train
from vae_lab.sweep.record import failed_runs
from vae_lab.sweep.resume import OVERRIDES


def launch(
    config: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    max_stack: int | None = None,
    always: bool = False,
) -> list[JobReturn]:
    """Train the jobs in stacks where they can be, then run each of them from where it stands.

    Args:
        config: of the sweep, Hydra's part included.
        context: of Hydra.
        task: what runs one job.
        job_overrides: of each job.
        first: the number of the first job.
        max_stack: how many jobs a stack may have; None: as many as fit into memory.
        always: whether to stack even where a trial says that it is no faster.

    Raises:
        Interrupted: when a signal ended it.
    """
    configs = [config_of(config, context, own, first + i) for i, own in enumerate(job_overrides)]
    train_stacks(configs, max_stack, always)
    done: list[JobReturn] = []
    for one in configs:
        done.append(run_job(task, one, "hydra.sweep.dir", "hydra.sweep.subdir", context))
        if config.hydra.sweeper.get("fail_fast") and failed_runs(
            Path(str(config.hydra.sweep.dir)), [directory_of(one).name]
        ):
            break
    return done


def config_of(config: DictConfig, context: HydraContext, overrides: Sequence[str], number: int) -> DictConfig:
    """The whole config of a job."""
    composed: DictConfig = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = number
    return composed


def directory_of(config: DictConfig) -> Path:
    """The run directory of a job."""
    return Path(str(config.hydra.sweep.dir)) / str(config.hydra.sweep.subdir)


def train_stacks(configs: Sequence[DictConfig], max_stack: int | None, always: bool) -> None:
    """Bring the jobs that can be stacked to their last step; say which cannot be, and why.

    Raises:
        Interrupted: when a signal ended it.
    """
    runs = [run_of(config) for config in configs]
    planned = plan(runs, max_stack)
    for line in planned.lines():
        print(f"launcher stacked: {printable(line)}", flush=True)
    for number, stack in enumerate(planned.stacks, start=1):
        for i in stack:
            record_settings(configs[i], runs[i].directory)
        train_one([runs[i] for i in stack], f"[stack {number}/{len(planned.stacks)}]", always)


def run_of(config: DictConfig) -> Run:
    """The run of a job."""
    return Run(container(config), directory_of(config), override_values(list(config.hydra.overrides.task)))


def record_settings(config: DictConfig, directory: Path) -> None:
    """Keep a job's settings in its directory, as Hydra does at the start of a run: it can go on by itself from here."""
    (directory / RECORDED).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), directory / RECORDED)
    OmegaConf.save(config.hydra.overrides.task, directory / OVERRIDES)
    save_options(directory, config.hydra)


def train_one(runs: Sequence[Run], label: str, always: bool) -> None:
    """Train a stack. Where it does not pay, or breaks, its runs go on one by one: that is a line.

    Raises:
        Interrupted: when a signal ended it.
    """
    try:
        with progress(label, len(runs)) as told:
            reason = train(runs, told, always)
    except Exception as error:  # whatever vmap or a network of one's own may raise
        reason = one_line(error)
    if reason:
        print(f"{label} {count(len(runs))} trained alone: {printable(reason)}", flush=True)


class progress:  # noqa: N801
    """A bar over the steps of a stack; without a terminal a line every ten seconds."""

    def __init__(self, label: str, runs: int) -> None:
        self.label, self.spoke = f"{label} {runs} runs", time.monotonic()
        self.bar = tqdm(desc=self.label, unit="step", disable=not sys.stdout.isatty(), leave=False, file=sys.stdout)

    def __enter__(self) -> Callable[[int, int], None]:
        return self.tell

    def tell(self, done: int, steps: int) -> None:
        """Say how many of the steps are done."""
        self.bar.total = steps
        self.bar.update(done - self.bar.n)
        if self.bar.disable and time.monotonic() - self.spoke > EVERY_SECONDS:
            self.spoke = time.monotonic()
            print(f"{self.label}: step {done}/{steps}", flush=True)

    def __exit__(self, *_: object) -> None:
        self.bar.close()
