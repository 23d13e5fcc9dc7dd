"""The config layer: where conf/ lies, what runs are called, and what to tell a person whose override fits nowhere.

Nothing here imports torch.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vae_lab.checks import ConfigError, did_you_mean, one_line

PACKAGE = Path(__file__).parent
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if folder.is_dir())
LONGEST_NAME = 120
ADDED = ("experiment", "case", "remedy")  # groups that are not among the defaults


def key_and_text(override: str) -> tuple[str, str]:
    """Split ``+a.b=c`` into its key without prefix, ``a.b``, and its text, ``c``."""
    key, _, text = override.partition("=")
    return key.lstrip("+~"), text


def with_plus(override: str) -> str:
    """``experiment=x`` as ``+experiment=x``: what is not among the defaults is added, and people forget the plus."""
    return f"+{override}" if override.partition("=")[0] in ADDED else override


def told(overrides: Iterable[str]) -> list[str]:
    """The overrides that tell one run from another: all but the experiment and Hydra's own."""
    keep = []
    for override in overrides:
        key, _ = key_and_text(override)
        if key != "experiment" and not key.startswith(("hydra.", "hydra/")):
            keep.append(override.lstrip("+"))
    return keep


def run_name(overrides: Sequence[str]) -> str:
    """A directory name made of the overrides: readable, safe in a path, hashed where it had to be changed or cut."""
    text = ",".join(told(overrides)) or "defaults"
    name = re.sub(r"[^\w.,=+-]", "_", text)[:LONGEST_NAME]
    return name if name == text else f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def experiment_name(overrides: Sequence[str]) -> str:
    """The experiment that was chosen on the command line, or ``sweep``."""
    names = [text for key, text in map(key_and_text, overrides) if key == "experiment"]
    return re.sub(r"\W", "_", names[-1]) if names else "sweep"


def values(overrides: Sequence[str]) -> dict[str, Any]:
    """The overrides that tell runs apart as ``{key: value}``, with values of their own type."""
    parser = OverridesParser.create()
    return {key_and_text(o)[0]: plain(parser.parse_override(o).value()) for o in told(overrides)}


def plain(value: Any) -> Any:
    """A parsed override value as a primitive, or a list or dict of them."""
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def container(config: DictConfig) -> dict[str, Any]:
    """The run's config as plain data, without Hydra's own part.

    Raises:
        ConfigError: when a value is missing or an interpolation leads nowhere.
    """
    try:
        node = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        content = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "config"
        if isinstance(error, MissingMandatoryValue):
            raise ConfigError(f"{key}: must be given") from error
        if lost := re.search(r"Interpolation key '(\w+)\.(\w+)' not found", str(error)):
            owners = options_with(*lost.groups())
            have = f"; {lost[1]}={' or '.join(owners)} has it" if owners else ""
            raise ConfigError(f"{key}: follows {lost[1]}.{lost[2]}, which is not set here{have}") from error
        raise ConfigError(f"{key}: {one_line(error)}") from error
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


OmegaConf.register_new_resolver("vae_lab.run_name", run_name, replace=True)
OmegaConf.register_new_resolver("vae_lab.experiment_name", experiment_name, replace=True)


def compose_config(overrides: Sequence[str]) -> dict[str, Any]:
    """The plain config of these overrides.

    Raises:
        ConfigError: in one line, for whatever fits nowhere.
    """
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return container(compose("config", [with_plus(override) for override in overrides]))
    except HydraException as error:
        raise ConfigError(explain(error, overrides)) from error


# what to tell a person


def groups() -> dict[str, list[str]]:
    """The config groups of conf/ with their options, in alphabetical order."""
    folders = sorted(folder for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def options_with(group: str, name: str) -> list[str]:
    """The options of ``group`` whose file has an entry ``name``."""
    files = ((option, OmegaConf.load(CONF / group / f"{option}.yaml")) for option in groups().get(group, []))
    return [option for option, content in files if isinstance(content, DictConfig) and name in content.keys()]  # noqa: SIM118, a missing value is no member


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
