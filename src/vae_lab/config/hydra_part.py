"""What Hydra's own part of a config may hold. Hydra makes objects of some of it, so it is checked before Hydra sees it.

A list of what is allowed, not of what is not: a config file cannot bring callbacks, classes or files of its own.
Whatever Hydra would call is compared as it is written: an interpolation could change between the check and the call.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from vae_lab.checks import ConfigError
from vae_lab.config.build import added_modules, lies_under
from vae_lab.config.names import as_written

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
PLUGINS = {
    "launcher": (BASIC_LAUNCHER, "hydra_plugins"),
    "sweeper": ("hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "hydra_plugins"),
}
EMPTY = {
    "callbacks": "must be empty: a callback runs code",
    "searchpath": "must be empty; name a folder of your own by --config-dir",
    "job.env_set": "must be empty; set variables in your shell",
    "job.env_copy": "must be empty; set variables in your shell",
}
INTERPOLATION = re.compile(
    r"\$\{hydra\.(?:run\.dir|sweep\.(?:dir|subdir)|job\.(?:name|id|num)|runtime\.(?:cwd|output_dir))\}"
)
FILE_NAME = re.compile(r"[\w.-]+")  # of a job

HANDLERS = ("logging.FileHandler", "logging.StreamHandler", "logging.NullHandler")
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
LOG_FILE = re.compile(r"\$\{hydra\.runtime\.output_dir\}/(?:[\w-][\w.-]*|\$\{hydra\.job\.name\}\.log)")
LOGGER_KEYS = ("level", "handlers", "propagate")
LOGGING_KEYS = {  # how deep it goes, and what stands there
    "formatters": ("format", "datefmt", "style", "validate"),
    "handlers": ("class", "formatter", "level", "stream", "filename", "mode", "encoding", "delay"),
    "loggers": LOGGER_KEYS,
}
LOGGING_FLAGS = ("version", "incremental", "disable_existing_loggers")


def check_hydra_part(config: DictConfig) -> None:
    """Refuse whatever in ``config.hydra`` would run code, write outside the run directory, or read elsewhere.

    Raises:
        ConfigError: naming the key.
    """
    part = OmegaConf.to_container(config.hydra, resolve=False)
    assert isinstance(part, dict)
    for key, allowed in EMPTY.items():
        outer, _, inner = key.rpartition(".")
        if (part[outer] if outer else part).get(inner):
            raise ConfigError.part(f"hydra.{key}", allowed)
    for name, targets in PLUGINS.items():
        check_plugin(part.get(name), f"hydra.{name}", targets)
    for name in ("job_logging", "hydra_logging"):
        check_logging(part.get(name), f"hydra.{name}")
    if not FILE_NAME.fullmatch(str(part["job"].get("name"))):
        raise ConfigError.setting("hydra.job.name", part["job"].get("name"), "must be the name of a file")
    if part.get("output_subdir") not in (".hydra", None):
        raise ConfigError.setting("hydra.output_subdir", part["output_subdir"], "must be .hydra or null")


def check_launcher(config: DictConfig, compose: Callable[[list[str]], DictConfig]) -> None:
    """Refuse a launcher that a person's own files chose or set: some launchers take shell commands as settings.

    Args:
        config: the config.
        compose: composes the config of overrides, without those files.

    Raises:
        ConfigError: naming the launcher.
    """
    target = config.hydra.launcher._target_
    if target == BASIC_LAUNCHER:
        return
    try:
        typed = compose(as_written(config.hydra.overrides.hydra)).hydra.launcher
    except (HydraException, ConfigError):
        typed = None
    if typed != config.hydra.launcher:
        raise ConfigError.setting("hydra.launcher", target, "must be chosen and set on the command line, not in a file")


def check_plugin(node: Any, key: str, targets: tuple[str, ...]) -> None:
    """Refuse a launcher or sweeper that is not Hydra's own or an installed plugin, and objects within it.

    Raises:
        ConfigError: naming the key.
    """
    target = node.get("_target_") if isinstance(node, Mapping) else node
    if not isinstance(target, str) or not lies_under(target, targets):
        raise ConfigError.setting(
            f"{key}._target_", target, f"must be one of Hydra's or an installed plugin's {key[6:]}s"
        )
    for path, value in leaves({name: value for name, value in node.items() if name != "_target_"}, key):
        if path.startswith(f"{key}._"):
            raise ConfigError.part(path, "cannot be set")
        if path.endswith("._target_") and not (isinstance(value, str) and lies_under(value, added_modules())):
            raise ConfigError.setting(path, value, "must lie under a module that --allow names")
        if "${" in INTERPOLATION.sub("", str(value)):
            raise ConfigError.setting(path, value, "must be written out: Hydra calls what stands here")
    for name in (node.get("params") or {}) if key == "hydra.sweeper" else ():
        if str(name).lstrip("+~").startswith("hydra"):
            raise ConfigError.part(f"{key}.params", f"{name} cannot be swept")


def check_logging(node: Any, key: str) -> None:
    """Refuse a logging config that names a class, a stream or a file beyond the plain ones.

    Raises:
        ConfigError: naming the key.
    """
    if node is None:
        return
    if not isinstance(node, Mapping):
        raise ConfigError.setting(key, node, "must be a logging config that is written out")
    for name, value in node.items():
        where = f"{key}.{name}"
        if name == "root":
            check_entry(value, where, LOGGER_KEYS)
        elif name in LOGGING_KEYS:
            for entry, inner in entries(value, where):
                check_entry(inner, f"{where}.{entry}", LOGGING_KEYS[name])
        elif name not in LOGGING_FLAGS:
            raise ConfigError.part(where, f"cannot be set; a logging config has root, {', '.join(LOGGING_KEYS)}")


def check_entry(node: Any, key: str, names: tuple[str, ...]) -> None:
    """Refuse a formatter, handler or logger with other keys than ``names``, or with values that logging would look up.

    Raises:
        ConfigError: naming the key.
    """
    for name, value in entries(node, key):
        where = f"{key}.{name}"
        if name not in names:
            raise ConfigError.part(where, f"cannot be set; there are {', '.join(names)}")
        if name == "class" and value not in HANDLERS:
            raise ConfigError.setting(where, value, f"must be one of {', '.join(HANDLERS)}")
        if name == "stream" and value not in STREAMS:
            raise ConfigError.setting(where, value, f"must be one of {', '.join(STREAMS)}")
        if name == "filename" and not LOG_FILE.fullmatch(str(value)):
            raise ConfigError.setting(
                where, value, "must be a file of the run directory: ${hydra.runtime.output_dir}/NAME"
            )
        for path, leaf in leaves(value, where):
            if name not in ("stream", "filename") and re.search(r"\$\{|^\w+://", str(leaf)):
                raise ConfigError.setting(path, leaf, "must be plain text")


def entries(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The entries of a mapping, none of an empty one.

    Raises:
        ConfigError: for anything else.
    """
    if node is not None and not isinstance(node, Mapping):
        raise ConfigError.setting(key, node, "must be a mapping that is written out")
    yield from ((str(name), value) for name, value in (node or {}).items())


def leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """All values below a node that are no collections, with their paths."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}")
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from leaves(value, f"{key}[{i}]")
    else:
        yield key, node
