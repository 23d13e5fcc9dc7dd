"""What a worker does for the stacked launcher: it finds the stacks among jobs, and trains one."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from vae_lab.callbacks.progress import EVERY_SECONDS
from vae_lab.checks import one_line, printable
from vae_lab.config.changes import RECORDED
from vae_lab.config.compose import container
from vae_lab.config.names import override_values
from vae_lab.config.options import save_options
from vae_lab.stacking.job import Run
from vae_lab.stacking.plan import Plan, count, plan
from vae_lab.stacking.train import train
from vae_lab.sweep.resume import OVERRIDES


def find_stacks(configs: Sequence[DictConfig], most: int | None, at_once: int, sharing: int) -> Plan:
    """The stacks among the jobs with these configs; the arguments are those of ``plan``."""
    return plan([run_of(config) for config in configs], most, at_once, sharing)


def train_stack(configs: Sequence[DictConfig], name: str, always: bool) -> None:
    """Bring the jobs of a stack to their last step. Where it does not pay, or breaks, that is a line.

    A job that is run from there has nothing left to train, or goes on by itself.

    Raises:
        Interrupted: when a signal ended it.
    """
    runs = [run_of(config) for config in configs]
    try:
        for config, run in zip(configs, runs, strict=True):
            record_settings(config, run.directory)
        with progress(f"{name} {len(runs)} runs") as told:
            reason = train(runs, told, always)
    except Exception as error:  # whatever vmap or a network of one's own may raise
        reason = one_line(error)
    if reason:
        print(f"{name} {count(len(runs))} trained alone: {printable(reason)}", flush=True)


def run_of(config: DictConfig) -> Run:
    """The run of a job."""
    directory = Path(str(config.hydra.sweep.dir)) / str(config.hydra.sweep.subdir)
    return Run(container(config), directory, override_values(list(config.hydra.overrides.task)))


def record_settings(config: DictConfig, directory: Path) -> None:
    """Keep a job's settings in its directory, as Hydra does at the start of a run: it can go on by itself from here."""
    (directory / RECORDED).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), directory / RECORDED)
    OmegaConf.save(config.hydra.overrides.task, directory / OVERRIDES)
    save_options(directory, config.hydra)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """What is told of each step, for a block that trains: a line every ten seconds."""
    spoke = time.monotonic()

    def tell(done: int, steps: int) -> None:
        nonlocal spoke
        if time.monotonic() - spoke > EVERY_SECONDS:
            spoke = time.monotonic()
            print(f"{label}: step {done}/{steps}", flush=True)

    yield tell
