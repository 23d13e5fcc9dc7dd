"""``python -m vae_lab``: from the command line to one run, or to a sweep. Nothing here imports torch before it must."""

import sys
from argparse import Namespace
from collections.abc import Sequence
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
from vae_lab.checks import ConfigError, RunFailed, one_line, printable
from vae_lab.config.build import ALLOW_VARIABLE, allowing, inherited_modules
from vae_lab.config.compose import container
from vae_lab.config.explain import explain
from vae_lab.config.loader import CONFIG, hydra_over
from vae_lab.config.names import override_values, run_name
from vae_lab.config.options import save_options
from vae_lab.console import CommandLine, Flags, read_command_line
from vae_lab.endings import endings, environment
from vae_lab.runs.names import RESULT


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

    directory, overrides = Path(about.runtime.output_dir), list(about.overrides.task)
    save_options(directory, about)
    position = Position.of(directory) if about.mode == RunMode.MULTIRUN else None
    name = directory.name if position else run_name(overrides)
    progress = StepProgress(str(position or ""), position.time_left() if position else "")
    announce = {} if position else {"announce": lambda line: print(f"note: {line}", flush=True)}
    try:
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


def run_once(hydra: Hydra, overrides: Sequence[str]) -> None:
    """A single run.

    Raises:
        ConfigError: for what does not fit, and for a directory that holds a run already.
    """
    once = [*overrides, "hydra.mode=RUN"]
    config = hydra.compose_config(CONFIG, once, RunMode.RUN, with_log_configuration=True)
    HydraConfig.instance().set_config(config)
    directory = Path(str(OmegaConf.select(config, "hydra.run.dir")))
    if (directory / RESULT).exists():
        raise ConfigError.setting("hydra.run.dir", directory, "holds a run already; name another directory")
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())
    done = run_job(job, config, "hydra.run.dir", None, context)
    _ = done.return_value  # raises what the job raised


def start(hydra: Hydra, flags: Namespace, overrides: list[str]) -> None:
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
        run_once(hydra, overrides)


def main() -> None:
    """The command."""
    with endings():
        line = read_command_line(sys.argv[1:])
        flags = Flags().parse_args(line.flags)
        if flags.version:
            print(f"vae_lab {__version__}")
            return
        with environment({ALLOW_VARIABLE: ",".join(line.modules)}), allowing(line.modules):
            begin(line, flags)


def begin(line: CommandLine, flags: Namespace) -> None:
    """Start Hydra over the person's settings.

    Raises:
        ConfigError: for whatever fits nowhere.
    """
    try:
        with hydra_over(line.config_dir) as hydra:
            start(hydra, flags, line.overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, line.overrides, line.config_dir) from error
