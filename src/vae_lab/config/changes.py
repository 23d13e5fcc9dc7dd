"""Whether two configs are of the same run: all settings alike, but for a length that was raised."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vae_lab.checks import ConfigError
from vae_lab.config.recorded import recorded

LENGTHS = ("trainer.max_steps", "epochs")
RECORDED = Path(".hydra") / "config.yaml"  # of a run, as Hydra records it


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a config with dotted names, ``("model.beta", 1.0)``."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs: the setting with its value then and now; None where there is none.

    Example:
        >>> changes({"seed": 0, "model": {"beta": 1}}, {"seed": 0, "model": {"beta": 4}})
        {'model.beta': (1, 4)}
    """
    then, later = dict(leaves(before)), dict(leaves(now))
    keys = dict.fromkeys([*then, *later])
    return {key: (then.get(key), later.get(key)) for key in keys if then.get(key) != later.get(key)}


def check_same_run(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings; only a length may be raised.

    Raises:
        ConfigError: naming the first setting that differs.
    """
    for key, (then, later) in changes(before, now).items():
        numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (then, later))
        if key not in LENGTHS or not numbers:
            raise differs(key, then, later)
        if later < then:
            raise ConfigError.setting(key, later, f"was {then} when the run began; it can be raised, not lowered")


def differs(key: str, then: Any, later: Any) -> ConfigError:
    """The mistake of going on with another setting."""
    return ConfigError.setting(key, later, f"was {then} when the run began; a run that goes on keeps its settings")


def is_longer(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a length was raised."""
    return any(key in LENGTHS for key in changes(before, now))


def recorded_config(run: Path) -> dict[str, Any] | None:
    """The config of a run directory as it is written, without resolving anything; None where it is not recorded.

    Raises:
        ConfigError: when it cannot be read.
    """
    content = recorded(run / RECORDED, dict)
    return None if content is None else {str(key): value for key, value in content.items() if key != "hydra"}


def written(config: Any) -> dict[str, Any]:
    """A config as it is written, without Hydra's own part; empty for what is none."""
    content = OmegaConf.to_container(config, resolve=False)
    return {str(key): value for key, value in content.items() if key != "hydra"} if isinstance(content, dict) else {}
