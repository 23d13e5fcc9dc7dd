"""What a search chooses from, as it is written on the command line in Hydra's own grammar.

``interval(0.1, 10)``, ``tag(log, interval(0.1, 10))``, ``int(interval(1, 16))``, ``range(2, 9)``, ``choice(a, b)`` and
``a,b``. Several seeds are no choice: each setting is run with all of them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from vae_lab.checks import ConfigError
from vae_lab.config.names import key_and_text
from vae_lab.runs.sweep import SEED
from vae_lab.sweep.jobs import KnownKeys, swept_values

DIGITS = 4  # significant ones of a number from an interval: no run depends on more, and people read it
LOG = "log"
Value = str | int | float


@dataclass(frozen=True)
class Choice:
    """One of several values, as they are written."""

    texts: tuple[str, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that are checked before a search begins."""
        return self.texts

    def written(self, value: Value) -> str:
        """A value as an override has it."""
        return str(value)


@dataclass(frozen=True)
class Numbers:
    """Numbers from ``low`` to ``high``, both included: whole ones where these are; ``step`` None stands for any."""

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that are checked before a search begins."""
        return tuple(dict.fromkeys((self.low, self.high)))

    def written(self, value: Value) -> str:
        """A value as an override has it.

        Example:
            >>> Numbers(0.1, 10.0).written(0.12345678), Numbers(0.0, 1.0, step=0.1).written(0.30000000000000004)
            ('0.1235', '0.3')
        """
        if self.whole:
            return str(int(value))
        rounded = float(f"{value:.{DIGITS}g}") if self.step is None else float(f"{value:.12g}")
        return repr(min(max(rounded, self.low), self.high))


NOTHING = Numbers(1, 0)


@dataclass(frozen=True)
class Space:
    """The settings among which a search chooses.

    Args:
        fixed: the overrides that all runs have.
        dimensions: what is chosen, by key.
        prefixes: of keys that are added to the config, ``{"remedy": "+"}``.
        seeds: the overrides of the seeds that each setting is run with; none for that of the config.
        optional: keys of an experiment's own space, which are left out in runs whose parts do not have them.
    """

    fixed: Sequence[str]
    dimensions: Mapping[str, Choice | Numbers]
    prefixes: Mapping[str, str] = field(default_factory=dict)
    seeds: Sequence[str] = ()
    optional: frozenset[str] = frozenset()

    @property
    def keys(self) -> list[str]:
        """What differs between the runs, the seed last."""
        return [*self.dimensions, *([SEED] if len(self.seeds) > 1 else [])]

    def jobs(self, point: Mapping[str, Value], known_keys: KnownKeys) -> list[list[str]]:
        """The runs of a setting, one for each seed, as overrides."""
        chosen = {
            key: f"{self.prefixes.get(key, '')}{key}={values.written(point[key])}"
            for key, values in self.dimensions.items()
        }
        groups = [o for o in (*self.fixed, *chosen.values()) if "." not in key_and_text(o)[0]]
        known = known_keys(tuple(groups)) if self.optional else set()
        own = [override for key, override in chosen.items() if key not in self.optional or key in known]
        return [[*self.fixed, *own, *([seed] if seed else [])] for seed in self.seeds or [""]]

    def corners(self) -> Iterator[dict[str, Value]]:
        """Settings that try each choice, and both ends of each interval, at least once."""
        first = {key: values.ends[0] for key, values in self.dimensions.items()}
        yield first
        for key, values in self.dimensions.items():
            yield from ({**first, key: value} for value in values.ends[1:])


def read_space(parser: OverridesParser, params: Mapping[str, Any], arguments: Sequence[str]) -> Space:
    """The space that an experiment and a person give.

    Args:
        parser: of overrides.
        params: the experiment's own space, ``{key: "interval(0,1)"}``.
        arguments: the person's overrides, which replace its entries.

    Raises:
        ConfigError: for values that cannot be searched, and where there is nothing to search over.
    """
    own = by_key(parser.parse_overrides([f"{key}={value}" for key, value in params.items()]))
    given = by_key(parser.parse_overrides(list(arguments)))
    every = dict(sorted({**own, **given}.items(), key=lambda entry: entry[0] != "experiment"))
    swept = {key: override for key, override in every.items() if override.is_sweep_override()}
    seeds = swept.pop(SEED, None)
    if "experiment" in swept:
        raise ConfigError.setting("experiment", text_of(swept["experiment"]), "one at a time")
    if not swept:
        raise ConfigError("nothing to search over: give a setting an interval, as in 'model.beta=interval(0.1,10)'")
    return Space(
        fixed=[str(override.input_line) for override in every.values() if not override.is_sweep_override()],
        dimensions={key: dimension(override) for key, override in swept.items()},
        prefixes={key: override.get_key_element().removesuffix(key) for key, override in swept.items()},
        seeds=swept_values(seeds) if seeds else (),
        optional=frozenset(key for key in own.keys() - given.keys() if "." in key),
    )


def by_key(overrides: Sequence[Override]) -> dict[str, Override]:
    """The overrides by key; the last one wins."""
    return {override.get_key_element().lstrip("+~"): override for override in overrides}


def text_of(override: Override) -> str:
    """What an override sets, as it is written."""
    return str(override.input_line).partition("=")[2]


def dimension(override: Override) -> Choice | Numbers:
    """What an override lets a search choose from.

    Raises:
        ConfigError: for bounds or tags that cannot be.
    """
    key, value = override.get_key_element().lstrip("+~"), override._value
    if not isinstance(value, (IntervalSweep, RangeSweep)):
        return Choice(tuple(text.partition("=")[2] for text in swept_values(override)))
    if unknown := sorted(value.tags - {LOG}):
        raise ConfigError.setting(key, text_of(override), f"has the tag {unknown[0]}; a search knows the tag log")
    found = interval(value) if isinstance(value, IntervalSweep) else steps(value)
    if problem := impossible(found):
        raise ConfigError.setting(key, text_of(override), problem)
    return found


def interval(value: IntervalSweep) -> Numbers:
    """``interval(low, high)``, and ``int(interval(low, high))``."""
    assert value.start is not None
    assert value.end is not None
    return Numbers(value.start, value.end, 1 if isinstance(value.start, int) else None, LOG in value.tags)


def steps(value: RangeSweep) -> Numbers:
    """``range(start, stop, step)``, without its stop."""
    start, stop, step = value.start, value.stop, value.step
    assert start is not None
    assert stop is not None
    count = math.ceil((stop - start) / step - 1e-9) if step else 0
    if count < 1:
        return NOTHING
    if not all(isinstance(number, int) for number in (start, stop, step)):
        start = float(start)
    last = start + (count - 1) * step
    return Numbers(min(start, last), max(start, last), abs(step), LOG in value.tags)


def impossible(values: Numbers) -> str:
    """Why no number can be chosen from these; empty where one can."""
    if values == NOTHING:
        return "has no values"
    if not (math.isfinite(values.low) and math.isfinite(values.high)):
        return "must lie between finite numbers"
    if values.low > values.high or (values.step is None and values.low == values.high):
        return "must go from a number to a larger one"
    if values.log and values.low <= 0:
        return "must lie above 0 to be searched by its logarithm"
    if values.log and values.step not in (None, 1):
        return "cannot have both steps and the tag log"
    return ""
