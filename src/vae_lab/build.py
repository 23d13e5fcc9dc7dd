"""The one place where a config node becomes an object, and where it is decided what may become one.

Only classes and functions under ``ALLOWED``, or under a module that the person at the command line allows, are called.
 A config file cannot widen that list, nor reach ``os`` through the attributes of an allowed module.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from vae_lab.checks import ConfigError, one_line

ALLOWED = ("vae_lab", "torch.nn", "torch.optim", "torchvision", "torchmetrics", "lightning.pytorch")
ALLOW_VARIABLE = "VAE_LAB_ALLOW"  # set by `--allow`, inherited by the processes of a launcher


def allowed_modules() -> tuple[str, ...]:
    """The prefixes under which targets may lie: ours, and what ``--allow`` added."""
    return ALLOWED + tuple(filter(None, os.environ.get(ALLOW_VARIABLE, "").split(",")))


@contextmanager
def allowing(modules: Iterable[str]) -> Iterator[None]:
    """Allow these modules too, until the block ends."""
    before = os.environ.get(ALLOW_VARIABLE, "")
    os.environ[ALLOW_VARIABLE] = ",".join([before, *modules])
    try:
        yield
    finally:
        os.environ[ALLOW_VARIABLE] = before


def lies_under(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the dotted ``name`` is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def locate(target: Any, key: str) -> Callable[..., Any]:
    """Return the class or function with the dotted name ``target``.

    Raises:
        ConfigError: when its name, or the module that defines it, is not allowed, or when it does not exist.
    """
    prefixes = allowed_modules()
    if not isinstance(target, str) or not lies_under(target, prefixes):
        raise ConfigError(
            f"{key}._target_={target}: must lie under {', '.join(prefixes)}; allow a module of your own by --allow NAME"
        )
    module_name, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{key}._target_={target}: cannot be imported ({error})") from error
    if not (inspect.isclass(found) or inspect.isfunction(found)) or not lies_under(found.__module__, prefixes):
        raise ConfigError(f"{key}._target_={target}: is no class or function of {', '.join(prefixes)}")
    return found


def build(node: Mapping[str, Any], key: str, /, **extra: Any) -> Any:
    """Call the node's ``_target_`` with its other entries and ``extra``; nodes within are built first.

    Args:
        node: plain data; ``_partial_: true`` gives a ``functools.partial`` in place of a call.
        key: the node's path in the config, for error messages.
        extra: arguments that the config does not hold.

    Raises:
        ConfigError: for a target that is not allowed, and for every ``TypeError`` and ``ValueError`` of the call.
    """
    target = locate(node.get("_target_"), key)
    given = {name: value for name, value in node.items() if name not in ("_target_", "_partial_")}
    arguments = {name: build_value(value, f"{key}.{name}") for name, value in given.items()} | extra
    if node.get("_partial_"):
        return partial(target, **arguments)
    with naming(key):
        return target(**arguments)


@contextmanager
def naming(key: str) -> Iterator[None]:
    """Turn the complaint of a call into a ``ConfigError`` whose message names the config ``key`` of the argument."""
    try:
        yield
    except ConfigError:
        raise
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        raise ConfigError(f"{key}.{unknown[1]}: no such setting" if unknown else f"{key}: {one_line(error)}") from error
    except ValueError as error:
        named = re.match(r"\w+=", str(error))
        raise ConfigError(f"{key}.{error}" if named else f"{key}: {one_line(error)}") from error


def build_value(value: Any, key: str) -> Any:
    """Build whatever nodes lie in a config value."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            return build(value, key)
        return {name: build_value(entry, f"{key}.{name}") for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [build_value(entry, f"{key}[{i}]") for i, entry in enumerate(value)]
    return value
