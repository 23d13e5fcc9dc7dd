"""A search in the place of a grid: Optuna suggests settings from the figures of those before."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.vae_lab_local_launcher import LocalLauncher
from vae_lab.config.compose import container
from vae_lab.runs.lock import holding
from vae_lab.runs.search import Search
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.context import SweepContext
from vae_lab.sweep.directory import check_free
from vae_lab.sweep.jobs import MOST_JOBS
from vae_lab.sweep.launching import launch_batches, launcher_for
from vae_lab.sweep.optuna_batches import Batches
from vae_lab.sweep.optuna_plan import describe, places, read_search, same_search, typed_settings
from vae_lab.sweep.optuna_space import Space, read_space
from vae_lab.sweep.optuna_study import check_space, open_study
from vae_lab.sweep.record import has_ended, now
from vae_lab.training.run import check
from vae_lab.training.trainer import quieten


def search(
    context: SweepContext,
    params: Mapping[str, Any],
    arguments: list[str],
    objectives: Mapping[str, Any],
    wanted: Mapping[str, Any],
    resume: bool,
    fail_fast: bool,
) -> None:
    """Search, or go on with it.

    Args:
        context: what Hydra gives.
        params: the experiment's own space.
        arguments: the person's overrides, which replace its entries.
        objectives: ``{figure: direction}``; a direction of None takes one of the experiment's back.
        wanted: ``trials``, ``sampler``, ``seed`` and ``at_once``.
        resume: whether to go on with what lies in the directory.
        fail_fast: whether the first failed run ends the search.

    Raises:
        ConfigError: before anything runs, for what does not fit; later, for an objective that no run has.
        RunFailed: at the end, when runs failed.
    """
    quieten()
    space = read_space(context.parser, params, arguments)
    directory = context.directory
    if not resume:
        check_free(directory)
    config = try_corners(context, space)
    launcher = launcher_for(context.launcher, context.hydra, context.config, MOST_JOBS, config.trainer)
    plan = read_search(objectives, {**wanted, "seeds": max(len(space.seeds), 1)})
    before = SweepRecord.read(directory).search if resume else None
    if before is not None:
        plan = same_search(before, plan, typed_settings(context.config))
    elif plan.at_once < 1:
        plan = replace(plan, at_once=places(launcher, config))
    directory.mkdir(parents=True, exist_ok=True)
    with holding(directory), keeping_workers(launcher, plan.at_once * plan.seeds, config):
        if not resume:
            check_free(directory)  # nobody else can begin there from here on
        study = open_study(directory, plan)
        check_space(study, space.dimensions)
        note_begin(context, space, plan, arguments, resume)
        launch_batches(launcher, context.config, Batches(context, space, plan, study), fail_fast)


@contextmanager
def keeping_workers(launcher: Launcher, runs: int, config: DictConfig) -> Iterator[None]:
    """Keep the workers of the launcher ``local`` from batch to batch: a new one pays seconds of imports."""
    if not isinstance(launcher, LocalLauncher):
        yield
        return
    with launcher.working(runs, str(config.trainer.get("accelerator", "auto")), lasting=True):
        yield


def try_corners(context: SweepContext, space: Space) -> DictConfig:
    """Build each choice and both ends of each interval once; returns the config of the first.

    Raises:
        ConfigError: for the first that does not fit.
    """
    configs = [context.compose(job) for point in space.corners() for job in space.jobs(point, context.known_keys)[:1]]
    for config in configs:
        check(container(config))
    return configs[0]


def note_begin(context: SweepContext, space: Space, plan: Search, arguments: Sequence[str], resume: bool) -> None:
    """Write, or take up, the record of the sweep, and announce the search."""
    directory = context.directory
    if resume:
        record = SweepRecord.read(directory)
        ended = sum(has_ended(directory / job) for job in record.jobs)
        replace(record, ended=None, resumed=now().isoformat(), skipped=ended, search=plan).write(directory)
        print(f"search in {directory}: {ended} runs have ended and are kept; {plan.trials} trials in all", flush=True)
        return
    OmegaConf.save(context.config, directory / "multirun.yaml")
    record = SweepRecord(
        swept=space.keys,
        shared=list(space.fixed),
        arguments=context.command(list(arguments)),
        started=now().isoformat(),
        jobs=[],
        search=plan,
    )
    record.write(directory)
    print(f"search in {directory}: {describe(plan)}, over {', '.join(space.keys)}", flush=True)
