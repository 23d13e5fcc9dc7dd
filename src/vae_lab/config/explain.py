"""Hydra's and OmegaConf's messages put into words. This is the only place that reads them."""

import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vae_lab.checks import ConfigError, did_you_mean, one_line
from vae_lab.config.groups import groups, options_with
from vae_lab.config.loader import hydra_config
from vae_lab.config.names import key_and_text


def explain(error: Exception, overrides: Sequence[str], config_dir: Path | None = None) -> ConfigError:
    """Turn an exception of Hydra's composition into one line: the key, its value, and what is allowed."""
    message = str(error)
    if match := re.search(r"Could not find '([\w/]+)/([^'/]*)'", message):
        group, option = match.groups()
        offered = message.partition("Available options in")[2].partition("Config search path")[0]
        options = re.findall(r"^\t(\S+)", offered, re.MULTILINE) or groups(config_dir).get(group, [])
        return ConfigError.setting(group, option, f"must be one of {', '.join(options)}{did_you_mean(option, options)}")
    if match := re.search(r"Could not (?:override|delete) '([^'@]*)", message):
        return explain_key(match.group(1), overrides, config_dir)
    if "append" in message and (match := re.search(r"item is already at '([^']*)'", message)):
        return ConfigError.part(match.group(1), "exists already; write it without the +")
    if match := re.search(r"Ambiguous value for argument '([^=]*)=(.*)'", message):
        allowed = f"has several values: add -m to run each of them, or write [{match[2]}] for a list"
        return ConfigError.setting(match[1], match[2], allowed)
    if match := re.search(r"Sweep parameters '([^=]*)=(.*)' requires", message):
        return ConfigError.setting(match[1], match[2], "has several values: add -m to run each of them")
    if "parse" in type(error).__name__.lower() or "mismatched input" in message or "viable" in message:
        return ConfigError(
            f"{first_line(message)}; must be KEY=VALUE, with quotes around special characters: 'KEY=\"a,b\"'"
        )
    cause = one_line(error.__cause__) if error.__cause__ else ""
    return ConfigError(": ".join(filter(None, [first_line(message) or type(error).__name__, cause])))


def first_line(text: str) -> str:
    """The first line that is not empty, with the next one behind a colon, and without the names of exceptions."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return re.sub(r"^(?:\w+(?:Exception|Error): )+", "", said)


def explain_key(key: str, overrides: Sequence[str], config_dir: Path | None = None) -> ConfigError:
    """Say why there is no ``key``: another option of its group has it, or a name like it exists."""
    value = next((key_and_text(o)[1] for o in overrides if key_and_text(o)[0] == key), None)
    problem = reason(key, overrides, config_dir)
    return ConfigError.part(key, problem) if value is None else ConfigError.setting(key, value, problem)


def reason(key: str, overrides: Sequence[str], config_dir: Path | None) -> str:
    """Why there is no ``key``, in words."""
    config = reference(overrides, config_dir)
    if config is not None and (lost := lost_in_hydra(key, config)):
        return lost
    known = {} if config is None else {str(e): config[e] for e in config if e != "hydra"}
    group, _, name = key.partition(".")
    if config is not None and name and group in known and group in groups():
        chosen = f"{group}={config.hydra.runtime.choices.get(group)}"
        if others := options_with(group, name):
            return f"{chosen} has no {name}; it is a setting of {group}={' or '.join(others)}"
        here = [str(entry) for entry in known[group] or {} if not str(entry).startswith("_")]
        return f"{chosen} has no {name}{did_you_mean(name, here)}; it has {', '.join(here) or 'no settings'}"
    parts = {entry: node for entry, node in known.items() if OmegaConf.is_dict(node)}
    leaves = [f"{entry}.{leaf!s}" for entry, node in parts.items() for leaf in node if not str(leaf).startswith("_")]
    names = sorted({*groups(), *known})
    nearest = did_you_mean(key, [*names, *leaves])
    return f"no such setting{nearest}; settings and groups: {', '.join(names)}; all: python -m vae_lab.list"


def lost_in_hydra(key: str, config: DictConfig) -> str:
    """Where a key of Hydra's own part leaves what there is, in words; empty for other keys."""
    place, *names = key.split(".")
    node = config.hydra if place == "hydra" else None
    for name in names:
        if not isinstance(node, DictConfig):
            return ""
        here = [str(entry) for entry in node if not str(entry).startswith("_")]
        if name not in here:
            return f"{place} has no {name}{did_you_mean(name, here)}; it has {', '.join(here)}"
        place, node = f"{place}.{name}", node[name]
    return ""


def reference(overrides: Sequence[str], config_dir: Path | None) -> DictConfig | None:
    """The config that the group choices among ``overrides`` compose, None if they do not."""
    options = groups(config_dir)
    pairs = [(o, *key_and_text(o)) for o in overrides]
    chosen = [o for o, key, text in pairs if key.startswith("hydra/") or text in options.get(key, ())]
    try:
        return hydra_config(chosen, config_dir)
    except Exception:  # what is wrong with the choices is what is being explained
        return None


def explain_value(error: OmegaConfBaseException) -> ConfigError:
    """Say what is wrong with a value that OmegaConf cannot resolve."""
    key = error.full_key or "config"
    if isinstance(error, MissingMandatoryValue):
        return ConfigError.part(key, "must be given")
    if lost := re.search(r"Interpolation key '(\w+)\.(\w+)' not found", str(error)):
        owners = options_with(*lost.groups())
        have = f"; {lost[1]}={' or '.join(owners)} has it" if owners else ""
        return ConfigError.part(key, f"follows {lost[1]}.{lost[2]}, which is not set here{have}")
    return ConfigError.part(key, one_line(error))
