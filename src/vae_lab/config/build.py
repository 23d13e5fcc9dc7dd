"""The one place where a config node becomes an object, and where it is decided what may become one.

Only classes under ``ALLOWED``, or under a module that the person at the command line allows, are called, and only those
of the kind that their place asks for: an encoder is an ``nn.Module``, a likelihood a ``Likelihood``. A config file
cannot widen that list, nor reach ``os`` through the attributes of an allowed module.
"""

import inspect
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Any

from vae_lab.checks import ArgumentError, ConfigError, keywords, one_line

ALLOWED = ("vae_lab", "torch.nn", "torch.optim", "torchvision", "torchmetrics", "lightning.pytorch")
ALLOW_VARIABLE = "VAE_LAB_ALLOW"  # from `--allow` to the processes of a launcher; read by their jobs only

_added: ContextVar[tuple[str, ...]] = ContextVar("added", default=())


def added_modules() -> tuple[str, ...]:
    """What is allowed now beside our own."""
    return _added.get()


def allowed_modules() -> tuple[str, ...]:
    """The prefixes under which targets may lie: ours, and what ``--allow`` added."""
    return ALLOWED + added_modules()


def inherited_modules() -> list[str]:
    """What the command that started this process, or its launcher, allows.

    Only a job may ask: elsewhere the variable is a person's environment, which widens nothing.
    """
    return list(filter(None, os.environ.get(ALLOW_VARIABLE, "").split(",")))


@contextmanager
def allowing(modules: Iterable[str]) -> Iterator[None]:
    """Allow these modules too, until the block ends."""
    token = _added.set(tuple(dict.fromkeys([*added_modules(), *modules])))
    try:
        yield
    finally:
        _added.reset(token)


def lies_under(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the dotted ``name`` is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def locate(target: Any, key: str, kind: type) -> type:
    """Return the class with the dotted name ``target``, a subclass of ``kind``.

    Raises:
        ConfigError: when its name, or the module that defines it, is not allowed, or it is no such class.
    """
    prefixes = allowed_modules()
    if target is None:
        raise ConfigError.part(f"{key}._target_", f"must be given, the name of a class ({kind.__name__})")
    if not isinstance(target, str) or not lies_under(target, prefixes):
        allowed = f"must lie under {', '.join(prefixes)}; allow a module of your own by --allow NAME"
        raise ConfigError.setting(f"{key}._target_", target, allowed)
    module_name, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError.setting(f"{key}._target_", target, f"cannot be imported ({error})") from error
    if not inspect.isclass(found) or not issubclass(found, kind) or not lies_under(found.__module__, prefixes):
        raise ConfigError.setting(f"{key}._target_", target, f"must be a {kind.__name__}")
    return found


def build(node: Mapping[str, Any], key: str, kind: type, /, **extra: Any) -> Any:
    """Make an instance of the node's ``_target_`` from its other entries and ``extra``; nodes within are built first.

    Args:
        node: plain data.
        key: the node's path in the config, for error messages.
        kind: what the target must be a subclass of; nodes within must be ``torch.nn.Module``.
        extra: arguments that the config does not hold.

    Raises:
        ConfigError: for a target that is not allowed, and for whatever the call raises.

    Example:
        >>> from torch import nn
        >>> build({"_target_": "torch.nn.Linear", "in_features": 2}, "layer", nn.Module, out_features=3)
        Linear(in_features=2, out_features=3, bias=True)
        >>> build({"_target_": "os.system", "command": "ls"}, "layer", nn.Module)
        Traceback (most recent call last):
        ...
        vae_lab.checks.ConfigError: layer._target_=os.system: must lie under vae_lab, torch.nn, ...
    """
    target, arguments = call_of(node, key, kind, extra)
    with naming(key):
        try:
            return target(**arguments)
        except TypeError:
            keywords(target, arguments)
            raise


def maker(node: Mapping[str, Any], key: str, kind: type, /, **extra: Any) -> Any:
    """Like ``build``, but a ``functools.partial`` in place of an instance: for what lacks arguments as yet.

    Raises:
        ConfigError: for a target that is not allowed, and for an argument that it does not take.

    Example:
        >>> import torch
        >>> make = maker({"_target_": "torch.optim.SGD", "lr": 0.5}, "optimizer", torch.optim.Optimizer)
        >>> make([torch.nn.Parameter(torch.zeros(1))]).defaults["lr"]
        0.5
    """
    target, arguments = call_of(node, key, kind, extra)
    with naming(key):
        keywords(target, arguments)
    return partial(target, **arguments)


def call_of(node: Any, key: str, kind: type, extra: Mapping[str, Any]) -> tuple[type, dict[str, Any]]:
    """The class that a node names, and the arguments to call it with.

    Raises:
        ConfigError: for what is no node, a target that is not allowed, or an entry that a config cannot set.
    """
    if not isinstance(node, Mapping):
        raise ConfigError.setting(key, node, "must be a part, with a _target_ and its settings")
    target = locate(node.get("_target_"), key, kind)
    given = {str(name): value for name, value in node.items() if name != "_target_"}
    for name, value in given.items():
        if name.startswith("_") or name in extra:
            raise ConfigError.setting(f"{key}.{name}", value, "cannot be set")
    return target, {name: build_value(value, f"{key}.{name}") for name, value in given.items()} | dict(extra)


@contextmanager
def naming(key: str = "") -> Iterator[None]:
    """Turn the complaint of a call into a ``ConfigError`` that names the argument by its path below the ``key``.

    A part may answer a value that it did not expect with any exception; ``HYDRA_FULL_ERROR=1`` shows where.
    """
    try:
        yield
    except ConfigError:
        raise
    except ArgumentError as error:
        raise ConfigError.at(key, error) from error
    except Exception as error:
        raise ConfigError.part(key, one_line(error)) from error


def build_value(value: Any, key: str) -> Any:
    """Build whatever nodes lie in a config value."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            from torch.nn import Module

            return build(value, key, Module)
        return {name: build_value(entry, f"{key}.{name}") for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [build_value(entry, f"{key}[{i}]") for i, entry in enumerate(value)]
    return value
