"""``python -m vae_lab``: from the command line to one run, or to a sweep. Nothing here imports torch before it must."""

import itertools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vae_lab.checks import ConfigError, one_line
from vae_lab.config.build import ALLOW_VARIABLE
from vae_lab.config.compose import container
from vae_lab.config.explain import explain
from vae_lab.config.groups import CONF
from vae_lab.config.names import run_name, values, with_plus

FLAGS_WITH_VALUE = (
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--cfg", "-c", "--package", "-p", "--experimental-rerun"),
)


class Interrupted(BaseException):
    """Ctrl-C. Not a KeyboardInterrupt, which Lightning would answer by leaving the process past Hydra."""


class RunFailed(RuntimeError):
    """A run failed; its reason is in its ``result.json``."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """On the first Ctrl-C unwind cleanly; the next one ends the process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise Interrupted("by Ctrl-C")


def read_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Sort the command line into modules to allow, Hydra's flags, and overrides.

    Hydra wants all overrides side by side; people write them on both sides of ``-m``. ``experiment=x`` is read as
    ``+experiment=x``, ``case=x`` as ``+case=x``. An experiment comes first, so that a case or remedy refines it.

    Raises:
        ConfigError: when ``--allow`` has no module name behind it.
    """
    modules, flags, overrides = [], [], []
    pending = iter(arguments)
    for argument in pending:
        if argument == "--allow" or argument.startswith("--allow="):
            name = argument.partition("=")[2] or next(pending, "")
            if not name.replace(".", "").isidentifier():
                raise ConfigError(f"--allow {name}: must be the name of a Python module")
            modules.append(name)
        elif argument.startswith("-"):
            flags += [argument, *itertools.islice(pending, int(argument in FLAGS_WITH_VALUE))]
        else:
            overrides.append(with_plus(argument))
    return modules, flags, sorted(overrides, key=lambda override: not override.startswith("+experiment="))


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
        raise ConfigError(f"hydra.job.env_set.{ALLOW_VARIABLE}: modules are allowed on the command line only (--allow)")
    plain = container(config)

    from vae_lab.callbacks import StepProgress
    from vae_lab.report.show import show_run, summary_line
    from vae_lab.sweep.record import Position
    from vae_lab.training.run import execute

    directory, overrides = Path(about.runtime.output_dir), list(about.overrides.task)
    name = run_name(overrides)
    position = Position.of(directory) if about.mode == RunMode.MULTIRUN else None
    progress = StepProgress(str(position or ""), position.time_left() if position else "")
    try:
        group = directory.parent.name if position else ""
        result = execute(plain, directory, values(overrides), progress, name, group)
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
    """Run Hydra over ``job``; every mistake of the person becomes one line and exit code 1."""
    debug = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands exceptions on; they are put into words here
    previous = signal.signal(signal.SIGINT, interrupt)
    overrides: list[str] = []
    try:
        modules, flags, overrides = read_arguments(sys.argv[1:])
        os.environ[ALLOW_VARIABLE] = ",".join(modules)
        if {"--cfg", "-c"} & set(flags):
            flags = [flag for flag in flags if flag not in ("-m", "--multirun")]
        sys.argv[1:] = flags + overrides
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
    except (ConfigError, RunFailed) as error:
        if debug:
            raise
        sys.exit(f"error: {error}")
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        if debug:
            raise
        sys.exit(f"error: {explain(error, overrides)}")
    except Interrupted:
        print("interrupted; what had finished is kept", file=sys.stderr)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, previous)
