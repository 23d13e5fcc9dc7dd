"""``python -m vae_lab``: from the command line to one run, or to a sweep. Nothing here imports torch before it must."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_lab import __version__
from vae_lab.checks import ConfigError, Interrupted, RunFailed, one_line, printable
from vae_lab.config.build import ALLOW_VARIABLE, allowing, inherited_modules
from vae_lab.config.changes import check_same_run, recorded_config, written
from vae_lab.config.compose import container
from vae_lab.config.explain import explain
from vae_lab.config.loader import CONFIG, hydra_over
from vae_lab.config.names import key_and_text, override_values, run_name
from vae_lab.config.options import options_now, save_options
from vae_lab.console import CommandLine, Flags, read_command_line
from vae_lab.endings import endings, environment, heed
from vae_lab.runs.names import RESULT
from vae_lab.sweep.resume import (
    OVERRIDES,
    find_directory,
    is_settled,
    resume_command,
    run_again,
    split_resume,
    sweep_again,
)

FAIL_FAST = "fail_fast"  # of a sweep: end it at its first failed run


def job(config: DictConfig) -> float:
    """What Hydra calls for each job: one run. Returns the test ELBO of the checkpoint that was evaluated.

    Raises:
        ConfigError, RunFailed: in a sweep, whose other runs go on.
        SystemExit: with the same message in a single run, which Hydra would adorn otherwise.
    """
    about = HydraConfig.get()
    try:
        with allowing(inherited_modules()):
            return perform(config, about)
    except (ConfigError, RunFailed) as error:
        if about.mode == RunMode.MULTIRUN:
            raise
        raise SystemExit(f"error: {printable(str(error))}") from error


def perform(config: DictConfig, about: HydraConf) -> float:
    """Execute one run and print how it went: a line in a sweep, else a table.

    Raises:
        ConfigError: for whatever in the config does not fit.
        RunFailed: when the run broke; the reason is recorded.
    """
    plain = container(config)

    from vae_lab.callbacks import StepProgress
    from vae_lab.report.show import show_run, summary_line
    from vae_lab.sweep.record import Position
    from vae_lab.training.run import execute

    heed()
    directory, overrides = Path(about.runtime.output_dir), list(about.overrides.task)
    position = Position.of(directory) if about.mode == RunMode.MULTIRUN else None
    name = directory.name if position else run_name(overrides)
    progress = StepProgress(str(position or ""), position.time_left() if position else "")
    announce = {} if position else {"announce": lambda line: print(f"note: {line}", flush=True)}
    try:
        save_options(directory, about)
        group = directory.parent.name if position else ""
        result = execute(plain, directory, override_values(overrides), progress, name, group, **announce)
    except Exception as error:
        reason = str(error) if isinstance(error, ConfigError) else one_line(error)
        message = f"{reason}; see {directory / 'run.log'}"
        if position:
            print(f"{position} {name}: failed: {printable(message)}", flush=True)
        raise RunFailed(message) from error
    if position:
        said = filter(None, (summary_line(result), position.time_left()))
        print(f"{position} {name}: {'; '.join(said)}", flush=True)
    else:
        show_run(directory, result)
        if about.sweeper.get("params"):
            print("note: this was one run; the experiment has a grid, which -m sweeps")
    elbo = result.figure("elbo")
    return float("nan") if elbo is None else elbo


def run_once(hydra: Hydra, overrides: Sequence[str], goes_on: bool) -> None:
    """A single run, which may be one that ``goes_on``.

    Raises:
        ConfigError: for what does not fit, and for a directory that holds a run already, or another one.
    """
    once = [*overrides, "hydra.mode=RUN"]
    config = hydra.compose_config(CONFIG, once, RunMode.RUN, with_log_configuration=True)
    HydraConfig.instance().set_config(config)
    directory = Path(str(OmegaConf.select(config, "hydra.run.dir")))
    if goes_on:
        check_same_run(recorded_config(directory) or written(config), written(config))
    elif (directory / RESULT).exists():
        allowed = f"holds a run already; name another directory, or go on with it: resume={directory}"
        raise ConfigError.setting("hydra.run.dir", directory, allowed)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())
    try:
        done = run_job(job, config, "hydra.run.dir", None, context)
    except Interrupted:
        if (directory / OVERRIDES).exists():
            print(f"to go on: {resume_command(directory, options_now(config.hydra), many=False)}", flush=True)
        raise
    _ = done.return_value  # raises what the job raised


def start(hydra: Hydra, flags: Namespace, overrides: list[str], goes_on: bool) -> None:
    """Do what the flags ask for: show something, run once, or sweep."""
    if flags.help or flags.hydra_help:
        shows = hydra.app_help if flags.help else hydra.hydra_help
        shows(CONFIG, get_args_parser(), Namespace(overrides=overrides, resolve=flags.resolve))
    elif flags.cfg:
        hydra.show_cfg(CONFIG, overrides, flags.cfg, package=flags.package, resolve=flags.resolve)
    elif flags.shell_completion:
        hydra.shell_completion(CONFIG, overrides)
    elif flags.info:
        hydra.show_info(flags.info, CONFIG, overrides)
    elif flags.multirun:
        hydra.multirun(CONFIG, job, [*overrides, "hydra.mode=MULTIRUN"])
    else:
        run_once(hydra, overrides, goes_on)


def main() -> None:
    """The command."""
    with endings():
        line = read_command_line(sys.argv[1:])
        flags = Flags().parse_args(line.flags)
        if flags.version:
            print(f"vae_lab {__version__}")
            return
        name, typed = split_resume([sweeper_setting(override) for override in line.overrides])
        line = replace(line, overrides=typed)
        if name is not None:
            taken = take_up(line, name, flags.multirun)
            if taken is None:
                return
            line = taken
        with environment({ALLOW_VARIABLE: ",".join(line.modules)}), allowing(line.modules):
            begin(line, flags, goes_on=name is not None)


def sweeper_setting(override: str) -> str:
    """``fail_fast=true`` as the setting of the sweeper that it is."""
    return f"hydra.sweeper.{override}" if key_and_text(override)[0] == FAIL_FAST else override


def take_up(line: CommandLine, name: str, many: bool) -> CommandLine | None:
    """The command line that goes on with the run, or the sweep of ``many``, of this name; None where it has ended.

    Raises:
        ValueError: when there is none, or what it has recorded cannot be taken up.
    """
    directory = find_directory(name, many)
    if many:
        return sweep_again(line, directory, line.overrides)
    if said := is_settled(directory, line.overrides):
        print(said)
        return None
    return run_again(line, directory, line.overrides)


def begin(line: CommandLine, flags: Namespace, goes_on: bool) -> None:
    """Start Hydra over the person's settings.

    Raises:
        ConfigError: for whatever fits nowhere.
    """
    try:
        with hydra_over(line.config_dir) as hydra:
            start(hydra, flags, line.overrides, goes_on)
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, line.overrides, line.config_dir) from error
