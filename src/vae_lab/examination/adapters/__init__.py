"""Adapters: how to examine the models of a library, one file each. A new file here is found by itself.

An adapter looks at a model and gives the arguments of ``examine`` that describe it, or None where it is of another
library. It imports nothing of that library: whoever has such a model has imported it already.
"""

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from vae_lab.checks import ArgumentError

Adapter = Callable[[Any], Mapping[str, Any] | None]

ADAPTERS: dict[str, Adapter] = {}


def adapter(reads: Adapter) -> Adapter:
    """Register an adapter, in the front of those that are there.

    Example:
        >>> @adapter
        ... def of_pairs(model):
        ...     return {"encode": model[0], "decode": model[1]} if isinstance(model, tuple) else None
        >>> adapted((len, abs))["decode"] is abs
        True
        >>> del ADAPTERS["of_pairs"]
    """
    ADAPTERS[reads.__name__] = reads
    return reads


def adapted(model: Any) -> dict[str, Any]:
    """What the first adapter that knows a model says of it.

    Raises:
        ArgumentError: when none does.
    """
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    for reads in reversed(ADAPTERS.values()):
        if (known := reads(model)) is not None:
            return dict(known)
    return plain(model)


def plain(model: Any) -> dict[str, Any]:
    """Any model with methods ``encode`` and ``decode``, or a dict of arguments.

    Raises:
        ArgumentError: when it has none.
    """
    if isinstance(model, Mapping):
        return dict(model)
    encode, decode = getattr(model, "encode", None), getattr(model, "decode", None)
    if not callable(encode) or not callable(decode):
        raise ArgumentError("model", type(model).__name__, "has no methods encode and decode; give encode= and decode=")
    return {"name": type(model).__name__, "encode": encode, "decode": decode}


def comes_from(model: Any, library: str) -> bool:
    """Whether a model's class, or one that it derives from, is defined in a library.

    Example:
        >>> from torch import nn
        >>> comes_from(nn.Identity(), "torch"), comes_from(nn.Identity(), "numpy")
        (True, False)
    """
    return any(base.__module__.partition(".")[0] == library for base in type(model).__mro__)
