"""Hydra's messages put into words: what to tell a person whose override fits nowhere."""

import re
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from vae_lab.checks import did_you_mean, one_line
from vae_lab.config.groups import CONF, groups, options_with
from vae_lab.config.names import key_and_text, with_plus


def reference(overrides: Sequence[str]) -> DictConfig | None:
    """The config, Hydra's part included, that the group choices among ``overrides`` compose, None if they do not.

    An option from a person's own --config-dir is not known here and counts as not chosen.
    """
    options = groups()
    chosen = [o for o in overrides if key_and_text(o)[1] in options.get(key_and_text(o)[0], ())]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("config", [with_plus(o) for o in chosen], return_hydra_config=True)
    except Exception:  # what is wrong with the choices is what is being explained
        return None


def explain(error: Exception, overrides: Sequence[str]) -> str:
    """Turn an exception of Hydra's composition into one line: the key, its value, and what is allowed."""
    message = str(error)
    if match := re.search(r"Could not find '([\w/]+)/([^'/]*)'", message):
        group, option = match.groups()
        offered = message.partition("Available options in")[2].partition("Config search path")[0]
        listed = re.findall(r"^\t(\S+)", offered, re.MULTILINE)
        options = listed or groups().get(group, [])
        return f"{group}={option}: must be one of {', '.join(options)}{did_you_mean(option, options)}"
    if match := re.search(r"Could not (?:override|delete) '([^'@]*)", message):
        return explain_key(match.group(1), overrides)
    if "append" in message and (match := re.search(r"item is already at '([^']*)'", message)):
        return f"{match.group(1)}: exists already; write it without the +"
    if "parse" in type(error).__name__.lower() or "mismatched input" in message or "viable" in message:
        return f"{one_line(error)}; must be KEY=VALUE, with quotes around special characters: 'KEY=\"a,b\"'"
    cause = one_line(error.__cause__) if error.__cause__ else ""
    return f"{one_line(error)}{': ' if cause else ''}{cause}"


def explain_key(key: str, overrides: Sequence[str]) -> str:
    """Say why there is no ``key``: another option of its group has it, or a name like it exists."""
    given = next((o for o in overrides if key_and_text(o)[0] == key), key)
    config = reference(overrides)
    known = {} if config is None else {str(e): config[e] for e in config if e != "hydra"}
    group, _, name = key.partition(".")
    if config is not None and name and group in known and group in groups():
        chosen = f"{group}={config.hydra.runtime.choices.get(group)}"
        if others := options_with(group, name):
            return f"{given}: {chosen} has no {name}; it is a setting of {group}={' or '.join(others)}"
        here = [str(entry) for entry in known[group] or {} if not str(entry).startswith("_")]
        return f"{given}: {chosen} has no {name}{did_you_mean(name, here)}; it has {', '.join(here) or 'no settings'}"
    leaves = [f"{entry}.{leaf!s}" for entry, node in known.items() if OmegaConf.is_dict(node) for leaf in node]
    names = sorted({*groups(), *known})
    nearest = did_you_mean(key, [*names, *leaves])
    return f"{given}: no such setting{nearest}; settings and groups: {', '.join(names)}; all: python -m vae_lab.list"
