"""The networks behind a person's functions: to measure them and leave them as they were, and to know their device."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from vae_lab.callbacks.figures import evaluating


def modules_behind(functions: Iterable[Callable[..., Any] | None]) -> nn.ModuleList:
    """The modules that functions are, belong to, or name: a method's own, those of a closure, and global ones.

    Example:
        >>> network = nn.Linear(2, 3)
        >>> len(modules_behind([network.forward, lambda x: network(x)]))
        1
    """
    found = {id(module): module for function in functions if function is not None for module in search(function)}
    return nn.ModuleList(found.values())


def search(function: Any) -> Iterator[nn.Module]:
    """The modules behind one function."""
    if isinstance(function, nn.Module):
        yield function
    elif isinstance(function, partial):
        for part in (function.func, *function.args, *function.keywords.values()):
            yield from search(part)
    elif inspect.ismethod(function):
        yield from (function.__self__,) if isinstance(function.__self__, nn.Module) else parts_of(function.__self__)
    elif inspect.isfunction(function):
        named = inspect.getclosurevars(function)
        held = (*named.nonlocals.values(), *named.globals.values(), *(function.__defaults__ or ()))
        yield from (module for module in held if isinstance(module, nn.Module))
        yield from (own for method in held if inspect.ismethod(method) for own in search(method))
        yield from (own for other in held if not isinstance(other, nn.Module) for own in parts_of(other))


def parts_of(holder: Any) -> Iterator[nn.Module]:
    """The modules that an object of a person's own class holds, which is no module itself."""
    if not inspect.ismodule(holder) and not inspect.isclass(holder) and not inspect.isroutine(holder):
        yield from (part for part in getattr(holder, "__dict__", {}).values() if isinstance(part, nn.Module))


@contextmanager
def undisturbed(networks: nn.Module) -> Iterator[None]:
    """Evaluation mode until the block ends, and torch's generators as they were: a person's ``encode`` may draw."""
    device = place_of(networks)
    with evaluating(networks), torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def place_of(modules: nn.Module) -> torch.device:
    """The device of the first parameter; the CPU where there is none."""
    return next((parameter.device for parameter in modules.parameters()), torch.device("cpu"))


def precision_of(modules: nn.Module) -> torch.dtype | None:
    """The type of the first floating parameter, None where there is none."""
    return next((p.dtype for p in modules.parameters() if p.is_floating_point()), None)
