"""``python -m vae_lab``: from the command line to one run, or to a sweep. Nothing here imports torch before it must."""

import sys
from pathlib import Path

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vae_lab.checks import ConfigError, RunFailed, one_line
from vae_lab.config.build import ALLOW_VARIABLE
from vae_lab.config.compose import container
from vae_lab.config.explain import explain
from vae_lab.config.groups import CONF
from vae_lab.config.names import override_values, run_name
from vae_lab.console import endings, environment, read_command_line


def job(config: DictConfig) -> float:
    """What Hydra calls for each job: one run. Returns the test ELBO of the checkpoint that was evaluated.

    Raises:
        ConfigError, RunFailed: in a sweep, whose other runs go on.
        SystemExit: with the same message in a single run, which Hydra would adorn otherwise.
    """
    about = HydraConfig.get()
    try:
        return perform(config, about)
    except (ConfigError, RunFailed) as error:
        if about.mode == RunMode.MULTIRUN:
            raise
        raise SystemExit(f"error: {error}") from error


def perform(config: DictConfig, about: HydraConf) -> float:
    """Execute one run and print how it went: a line in a sweep, else a table.

    Raises:
        ConfigError: for whatever in the config does not fit.
        RunFailed: when the run broke; the reason is recorded.
    """
    if ALLOW_VARIABLE in about.job.env_set:
        key = f"hydra.job.env_set.{ALLOW_VARIABLE}"
        raise ConfigError.part(key, "modules are allowed on the command line only (--allow)")
    plain = container(config)

    from vae_lab.callbacks import StepProgress
    from vae_lab.report.show import show_run, summary_line
    from vae_lab.sweep.record import Position
    from vae_lab.training.run import execute

    directory, overrides = Path(about.runtime.output_dir), list(about.overrides.task)
    name = run_name(overrides)
    position = Position.of(directory) if about.mode == RunMode.MULTIRUN else None
    progress = StepProgress(str(position or ""), position.time_left() if position else "")
    announce = {} if position else {"announce": lambda line: print(f"note: {line}", flush=True)}
    try:
        group = directory.parent.name if position else ""
        result = execute(plain, directory, override_values(overrides), progress, name, group, **announce)
    except Exception as error:
        reason = str(error) if isinstance(error, ConfigError) else one_line(error)
        message = f"{reason}; see {directory / 'run.log'}"
        if position:
            print(f"{position} {name}: failed: {message}", flush=True)
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


def main() -> None:
    """Run Hydra over ``job``."""
    with endings():
        line = read_command_line(sys.argv[1:])
        flags = line.flags
        if {"--cfg", "-c"} & set(flags):
            flags = [flag for flag in flags if flag not in ("-m", "--multirun")]
        own = ["--config-dir", str(line.config_dir)] if line.config_dir else []
        sys.argv[1:] = [*own, *flags, *line.overrides]
        hands_on = {"HYDRA_FULL_ERROR": "1"}  # Hydra hands exceptions on, to be put into words here
        try:
            with environment(hands_on | {ALLOW_VARIABLE: ",".join(line.modules)}):
                hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
        except (HydraException, OmegaConfBaseException) as error:
            raise explain(error, line.overrides, line.config_dir) from error
