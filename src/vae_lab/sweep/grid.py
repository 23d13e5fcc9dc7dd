"""The jobs of a sweep: the product of all swept values, less what a run does not have."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from vae_lab.checks import ConfigError
from vae_lab.config.explain import explain_key
from vae_lab.config.groups import options_with
from vae_lab.runs.names import RESULT, SWEEP

KnownKeys = Callable[[tuple[str, ...]], set[str]]


def choices(overrides: Sequence[Override]) -> dict[str, list[str]]:
    """The values of each key as overrides, ``{"model.beta": ["model.beta=1", "model.beta=4"]}``; the last one wins."""
    found: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        one = [str(override.input_line)]
        many = override.is_sweep_override()
        found[key.lstrip("+~")] = [f"{key}={value}" for value in override.sweep_string_iterator()] if many else one
    return found


def expand(
    parser: OverridesParser, params: Mapping[str, Any], arguments: list[str], known_keys: KnownKeys
) -> tuple[list[list[str]], list[str]]:
    """All jobs, each a list of overrides, and the keys that were swept.

    An experiment's own grid may hold settings that a run has not, such as ``model.beta`` after ``model=info_vae`` on
    the command line: those are left out there, with a line that says so. What the person wrote is never left out.

    Args:
        parser: of overrides.
        params: the experiment's own grid, ``{key: "value,value"}``.
        arguments: the person's overrides, which replace its entries.
        known_keys: the dotted keys of the config that some group choices compose.

    Raises:
        ConfigError: for two experiments at once, and for a key of the experiment's grid that no run has.
    """
    own = choices(parser.parse_overrides([f"{key}={value}" for key, value in params.items()]))
    given = choices(parser.parse_overrides(arguments))
    if len(given.get("experiment", [])) > 1:
        raise ConfigError(f"experiment={','.join(o.partition('=')[2] for o in given['experiment'])}: one at a time")
    grid = own | given
    optional = {key for key in own.keys() - given.keys() if "." in key}
    order = sorted(grid, key=lambda key: (key == "seed", key != "experiment"))  # its refinements come after it
    jobs: dict[tuple[str, ...], None] = {}
    for job in itertools.product(*(grid[key] for key in order)):
        pairs = list(zip(order, job, strict=True))
        known = known_keys(tuple(override for key, override in pairs if "." not in key))
        jobs[tuple(override for key, override in pairs if key not in optional or key in known)] = None
    used = {override.partition("=")[0].lstrip("+~") for job in jobs for override in job}
    everywhere = {key for key in optional if all(any(o.startswith(f"{key}=") for o in job) for job in jobs)}
    for key in sorted(optional - everywhere):
        if not is_setting(key):
            raise explain_key(key, arguments)
        print(f"note: {key} is swept by the experiment, but not in runs whose parts have no such setting")
    return [list(job) for job in jobs], [key for key in order if len(grid[key]) > 1 and key in used]


def is_setting(key: str) -> bool:
    """Whether some option of its group has the key."""
    group, _, name = key.partition(".")
    return bool(options_with(group, name.partition(".")[0]))


def dotted(node: Any, prefix: str = "") -> set[str]:
    """The dotted paths of all entries of a config."""
    keys: set[str] = set()
    for name in node:
        keys.add(f"{prefix}{name}")
        if not OmegaConf.is_missing(node, name) and OmegaConf.is_dict(node._get_node(name)):
            keys |= dotted(node._get_node(name), f"{prefix}{name}.")
    return keys


def check_directories(sweep: Path, names: Sequence[str]) -> None:
    """Refuse a sweep directory that holds a sweep, and runs that would share a directory.

    Raises:
        ConfigError: naming the directory.
    """
    if (sweep / SWEEP).exists() or any(sweep.glob(f"*/{RESULT}")):
        raise ConfigError(f"hydra.sweep.dir={sweep}: holds a sweep already; name another directory")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"two runs would share the directory {sweep / twice}; give each its own setting")
