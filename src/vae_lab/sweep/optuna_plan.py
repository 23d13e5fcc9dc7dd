"""What a person wants of a search: what to optimise, in how many trials, by which sampler."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from hydra_plugins.vae_lab_local_launcher import LocalLauncher
from vae_lab.checks import ConfigError, choice, integer
from vae_lab.config.build import naming
from vae_lab.config.names import as_written, key_and_text
from vae_lab.runs.search import Direction, Search
from vae_lab.sweep.jobs import MOST_JOBS
from vae_lab.sweep.optuna_study import SAMPLERS
from vae_lab.sweep.slots import Machine, Places

KEY = "hydra.sweeper"
DEFAULT: Mapping[str, Direction] = {"test/elbo": "maximize"}
FIGURE = re.compile(r"\w+(?:/\w+)*")


def read_search(objectives: Mapping[str, Any], wanted: Mapping[str, Any]) -> Search:
    """The search that a person wants; ``at_once`` is 0 where it is left to the machine.

    Raises:
        ConfigError: for a setting that cannot be.
    """
    with naming(KEY):
        chosen = {name: direction for name, direction in objectives.items() if direction is not None} or dict(DEFAULT)
        for name, direction in chosen.items():
            choice(f"objectives.{name}", direction, get_args(Direction))
            if not FIGURE.fullmatch(name):
                raise ConfigError.setting(f"{KEY}.objectives", name, "must be the name of a figure, such as test/elbo")
        choice("sampler", wanted["sampler"], SAMPLERS)
        integer("trials", wanted["trials"], high=MOST_JOBS)
        integer("seed", wanted["seed"], low=0)
        at_once = 0 if wanted["at_once"] is None else integer("at_once", wanted["at_once"])
    return Search(objectives=chosen, **{**wanted, "at_once": at_once})


def typed_settings(config: DictConfig) -> list[str]:
    """The settings of the sweeper that stand on the command line."""
    keys = [key_and_text(override)[0] for override in as_written(config.hydra.overrides.hydra)]
    return [key.removeprefix(f"{KEY}.").partition(".")[0] for key in keys if key.startswith(f"{KEY}.")]


def same_search(before: Search, now_wanted: Search, typed: Sequence[str]) -> Search:
    """The search that goes on: as it was recorded, but for the number of its trials where one is typed.

    Raises:
        ConfigError: where something else is typed that differs.
    """
    for name in ("objectives", "sampler", "seed", "at_once"):
        then, later = getattr(before, name), getattr(now_wanted, name)
        if name in typed and later != then:
            raise ConfigError.setting(f"{KEY}.{name}", later, f"was {then} when the search began, which keeps it")
    settings = {field.name: getattr(before, field.name) for field in fields(Search) if field.name != "objectives"}
    kept = read_search(before.objectives, settings)  # what is recorded is checked like what is typed
    return replace(kept, trials=now_wanted.trials if "trials" in typed else before.trials)


def places(launcher: Launcher, config: DictConfig) -> int:
    """How many jobs a launcher of this machine runs side by side.

    Raises:
        ConfigError: for a launcher of a cluster.
    """
    if isinstance(launcher, BasicLauncher):
        return 1
    if not isinstance(launcher, LocalLauncher):
        raise ConfigError.part(f"{KEY}.at_once", "must be given with this launcher: how many runs go side by side")
    devices: Any = launcher.devices
    held = Places(devices, launcher.jobs_per_device, launcher.devices_per_job)
    with naming("hydra.launcher"):
        return len(Machine.this(str(config.trainer.get("accelerator", "auto"))).slots(MOST_JOBS, held))


def describe(plan: Search) -> str:
    """A search in words.

    Example:
        >>> describe(Search(objectives={"test/elbo": "maximize"}, trials=40, at_once=2))
        '40 trials by tpe, 2 at once, to maximize test/elbo'
    """
    aims = " and ".join(f"{direction} {name}" for name, direction in plan.objectives.items())
    each = f", {plan.seeds} seeds each" if plan.seeds > 1 else ""
    return f"{plan.trials} trials by {plan.sampler}, {plan.at_once} at once{each}, to {aims}"
