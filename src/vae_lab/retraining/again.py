"""A run trained again with other settings, in a directory within its own."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vae_lab.checks import ArgumentError
from vae_lab.config.compose import compose_config
from vae_lab.config.names import override_values, run_name
from vae_lab.config.options import FILE as OPTIONS
from vae_lab.console import read_command_line
from vae_lab.report.commands import arguments_of, changed_arguments
from vae_lab.report.show import summary_line
from vae_lab.runs.find import find_run
from vae_lab.runs.run import Run, text
from vae_lab.sweep.resume import OVERRIDES

Say = Callable[[str], None]


def tell(line: str) -> None:
    """Print a line at once, where the output goes to a file too."""
    print(line, flush=True)


def finished_run(name: str) -> Run:
    """The finished run that a person names.

    Raises:
        ValueError: when there is none, or its settings are not recorded.
    """
    run = Run.read(find_run(name))
    if not run.finished or run.problem:
        raise ArgumentError("run", run.directory, f"{run.problem or run.ending}; it must have finished")
    if not (run.directory / OVERRIDES).is_file():
        raise ArgumentError("run", run.directory, f"has no {OVERRIDES}, so its settings are not known")
    return run


def with_change(run: Path, arguments: Sequence[str], change: Mapping[str, Any]) -> list[str]:
    """The arguments of a run with a change.

    Raises:
        ArgumentError: when no such run can be composed.
    """
    found = changed_arguments(arguments, change)
    if found is None:
        made = ", ".join(f"{key}={value}" for key, value in change.items())
        raise ArgumentError("run", run, f"cannot be trained with {made}")
    return found


def train_again(arguments: Sequence[str], directory: Path, label: str, say: Say = tell) -> Run:
    """Train and test what these arguments of ``vae_lab`` describe, and say how it ended; what is there is kept.

    Raises:
        ConfigError: for whatever in the settings does not fit.
    """
    from vae_lab.callbacks import StepProgress
    from vae_lab.training.run import execute

    line = read_command_line(arguments)
    config = compose_config(line.overrides, line.config_dir)
    record(directory, line.overrides, line.shared)
    values = override_values(line.overrides)
    result = execute(config, directory, values, StepProgress(label), name=directory.name, announce=lambda line: None)
    say(f"{label}: {summary_line(result)}")
    return Run.read(directory)


def record(directory: Path, overrides: Sequence[str], options: Sequence[str]) -> None:
    """Keep what a run was made of where Hydra keeps it, so that the run can be repeated and gone on with."""
    (directory / OVERRIDES).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(list(overrides)), directory / OVERRIDES)
    OmegaConf.save(OmegaConf.create(list(options)), directory / OPTIONS)


def named(change: Mapping[str, Any]) -> str:
    """What the folder of a change is called: another change has another one.

    Example:
        >>> named({"model.beta": 1.0, "annealing": "linear"})
        'model.beta=1.0,annealing=linear'
    """
    return run_name([f"{key}={text(change, key)}" for key in change])


def seeds_of(run: Run, count: int) -> list[int]:
    """The run's own seed, and those that follow it."""
    return [run.result.seed + i for i in range(count)]


def original(run: Run) -> list[str]:
    """The arguments that made a run."""
    return arguments_of(run.directory)
