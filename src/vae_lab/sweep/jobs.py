"""The jobs of a sweep: the product of all swept values, less what a run does not have."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from vae_lab.checks import ConfigError
from vae_lab.config.explain import explain_key
from vae_lab.config.groups import options_with

KnownKeys = Callable[[tuple[str, ...]], set[str]]

MOST_JOBS = 10_000  # of a sweep; more is a mistyped range


def choices(overrides: Sequence[Override]) -> dict[str, list[str]]:
    """The values of each key as overrides, ``{"model.beta": ["model.beta=1", "model.beta=4"]}``; the last one wins.

    Raises:
        ConfigError: for a sweep without values, with too many, or with one value twice.
    """
    return {
        override.get_key_element().lstrip("+~"): swept_values(override)
        if override.is_sweep_override()
        else [str(override.input_line)]
        for override in overrides
    }


def swept_values(override: Override) -> list[str]:
    """The overrides that one with several values stands for.

    Raises:
        ConfigError: for none, too many, and one value twice, such as ``1,1.0``.
    """
    key, text = override.get_key_element(), str(override.input_line).partition("=")[2]
    if not override.is_discrete_sweep():
        raise ConfigError.setting(key, text, "cannot be swept; give its values, or a range")
    try:
        values = list(itertools.islice(override.sweep_string_iterator(), MOST_JOBS + 1))
    except ValueError as error:  # a range without steps
        raise ConfigError.setting(key, text, str(error)) from error
    if not values:
        raise ConfigError.setting(key, text, "has no values")
    if len(values) > MOST_JOBS:
        raise ConfigError.setting(key, text, f"has more than {MOST_JOBS} values")
    seen = set()
    for value in values:
        parsed = OverridesParser.create().parse_override(f"{key}={value}").value()
        same = (isinstance(parsed, bool), parsed if isinstance(parsed, (int, float)) else str(parsed))
        if same in seen:
            raise ConfigError.setting(key, text, f"has {value} twice")
        seen.add(same)
    return [f"{key}={value}" for value in values]


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
        ConfigError: for two experiments at once, a sweep of too many jobs or of values that cannot be, and a key of
            the experiment's grid that no run has.
    """
    own = choices(parser.parse_overrides([f"{key}={value}" for key, value in params.items()]))
    given = choices(parser.parse_overrides(arguments))
    if len(given.get("experiment", [])) > 1:
        raise ConfigError(f"experiment={','.join(o.partition('=')[2] for o in given['experiment'])}: one at a time")
    grid = own | given
    if (count := math.prod(map(len, grid.values()))) > MOST_JOBS:
        raise ConfigError(f"{count} runs are too many for one sweep; at most {MOST_JOBS}")
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
