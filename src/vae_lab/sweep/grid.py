"""A sweep over a grid: expand, check all jobs, launch those that have not ended, compare the results on disk."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from vae_lab.config.names import key_and_text
from vae_lab.runs.lock import holding
from vae_lab.sweep.checking import sweep_warning
from vae_lab.sweep.context import SweepContext, directory_name, placed
from vae_lab.sweep.directory import check_free, check_names, to_do
from vae_lab.sweep.jobs import expand
from vae_lab.sweep.launching import checked, launch, launcher_for
from vae_lab.sweep.record import begin, begin_again


def sweep(
    context: SweepContext,
    params: Mapping[str, Any],
    arguments: list[str],
    batch_size: int | None,
    resume: bool,
    fail_fast: bool,
) -> None:
    """Sweep over a grid, or go on with it.

    Args:
        context: what Hydra gives.
        params: the experiment's own grid.
        arguments: the person's overrides, which replace its entries.
        batch_size: how many jobs the launcher gets at a time, None for its own.
        resume: whether to go on with what lies in the directory.
        fail_fast: whether the first failed run ends the sweep.

    Raises:
        ConfigError: before anything runs, for the first job that does not fit, or a directory that is in use.
        RunFailed: at the end, when runs failed.
    """
    directory = context.directory
    jobs, swept = expand(context.parser, params, arguments, cache(context.known_keys))
    if not resume:
        check_free(directory)
    jobs = [context.named(job, swept) for job in jobs]
    names = [directory_name(context.compose(job), number) for number, job in enumerate(jobs)]
    check_names(directory, names)
    directory.mkdir(parents=True, exist_ok=True)
    with holding(directory):
        if not resume:
            check_free(directory)  # nobody else can begin there from here on
        numbers = to_do(directory, names, map(context.compose, jobs)) if resume else list(range(len(jobs)))
        trainer = context.compose(jobs[0]).trainer
        launcher = launcher_for(context.launcher, context.hydra, context.config, len(numbers), trainer)
        left = [names[number] for number in numbers]
        with checked(launcher, [jobs[number] for number in numbers], context.compose, trainer) as found:
            if late := sweep_warning(found):
                print(f"note: {late}")
            if resume:
                begin_again(directory, names, swept, arguments, left)
            else:
                OmegaConf.save(context.config, directory / "multirun.yaml")
                shared = [argument for argument in arguments if key_and_text(argument)[0] not in swept]
                begin(directory, names, swept, context.command(arguments), shared)
            launched = [placed(jobs[number], names[number]) for number in numbers]
            launch(launcher, context.config, left, launched, batch_size, fail_fast)
