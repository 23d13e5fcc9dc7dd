"""The form of a module: all of it but what its tensors hold. Models of one form can be trained as one stack.

What a sweep moves is a tensor (rule 3 of the architecture), so that two models which differ in β, ε or their weights
have one form. A number that a module keeps as a plain attribute is part of its form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor, nn

BOOKKEEPING = vars(nn.Module()).keys() | vars(LightningModule()).keys()  # what torch and Lightning keep in each module
PLAIN = (type(None), bool, int, float, str, bytes, complex, type)


@dataclass(frozen=True)
class Form:
    """The form of a module; two are equal when one pass serves both."""

    kind: type
    settings: Mapping[str, Any]
    tensors: Mapping[str, Any]  # shape, type, whether it is trained; None for a place that is empty
    parts: Mapping[str, "Form"]


def form_of(module: nn.Module) -> Form:
    """The form of a module and of all that lies in it, but for what it declares to lie ``beside_the_loss``.

    Example:
        >>> form_of(nn.Linear(2, 3)) == form_of(nn.Linear(2, 3))
        True
        >>> form_of(nn.Dropout(0.1)) == form_of(nn.Dropout(0.2))
        False
    """
    beside = BOOKKEEPING | set(getattr(module, "beside_the_loss", ()))
    own = {name: value for name, value in vars(module).items() if name not in beside}
    tensors = {name: shape_of(tensor) for name, tensor in (module._parameters | module._buffers).items()}
    parts = {name: form_of(part) for name, part in module.named_children()}
    return Form(type(module), frozen(own), tensors, parts)


def shape_of(tensor: Tensor | None) -> Any:
    """All of a tensor but its values."""
    return None if tensor is None else (tuple(tensor.shape), tensor.dtype, tensor.requires_grad)


def frozen(value: Any) -> Any:
    """A value for comparison: by content where it is plain, else by identity."""
    if isinstance(value, Mapping):
        return {key: frozen(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [frozen(entry) for entry in value]
    return (type(value), value) if isinstance(value, PLAIN) else id(value)
