"""Whether two configs are of the same run: all settings alike, but for a length that was raised."""

from collections.abc import Iterator, Mapping
from typing import Any

from vae_lab.checks import ConfigError

LENGTHS = ("trainer.max_steps", "epochs")


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a config with dotted names, ``("model.beta", 1.0)``."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def changes(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs: the setting with its value then and now; None where there is none.

    Example:
        >>> changes({"seed": 0, "model": {"beta": 1}}, {"seed": 0, "model": {"beta": 4}})
        {'model.beta': (1, 4)}
    """
    then, later = dict(leaves(recorded)), dict(leaves(now))
    keys = dict.fromkeys([*then, *later])
    return {key: (then.get(key), later.get(key)) for key in keys if then.get(key) != later.get(key)}


def check_same_run(recorded: Mapping[str, Any], now: Mapping[str, Any], longer: bool = True) -> None:
    """Refuse to go on with other settings. A length may be raised where it may be ``longer``.

    Raises:
        ConfigError: naming the first setting that differs.
    """
    for key, (then, later) in changes(recorded, now).items():
        numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (then, later))
        if longer and key in LENGTHS and numbers and later > then:
            continue
        allowed = f"was {then} when the run began; a run that goes on keeps its settings"
        if key in LENGTHS and longer:
            allowed = f"was {then} when the run began; it can be raised, not lowered"
        raise ConfigError.setting(key, later, allowed)


def is_longer(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a length was raised."""
    return any(key in LENGTHS for key in changes(recorded, now))
