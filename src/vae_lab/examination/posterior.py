"""What an encoder gives, as mean and standard deviation: tuples, dicts, objects and distributions.

A reader is registered by the type of the output; a new form is one more function here, or anywhere.
"""

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from vae_lab.checks import ArgumentError

Gaussian = tuple[Tensor, Tensor]  # mean and standard deviation of one shape

SCALES: dict[str, Callable[[Tensor], Tensor]] = {
    "log_variance": lambda s: (0.5 * s).exp(),
    "stddev": lambda s: s,
    "variance": Tensor.sqrt,
    "log_stddev": Tensor.exp,
}
MEANS = ("mean", "mu", "loc", "embedding", "z_mean", "latent_mean", "mean_z", "qz_m")
SECONDS = {
    "stddev": ("stddev", "std", "scale", "sigma", "z_std"),
    "log_variance": ("log_variance", "log_var", "logvar", "log_covariance", "z_log_var", "lv"),
    "variance": ("variance", "var", "qz_v"),
    "log_stddev": ("log_stddev", "log_std", "log_scale", "log_sigma"),
}
HOLDERS = ("latent_dist", "posterior", "q", "qz", "q_z", "dist", "distribution")  # entries that hold the whole
FORMS = "(mean, log-variance), a Normal, or a dict or object with both"


@singledispatch
def read_posterior(output: Any, scale: str = "log_variance") -> Gaussian:
    """Mean and standard deviation of what ``encode`` gives; both have the shape that it gives them.

    Args:
        output: a pair (mean, second), a ``Normal``, or a dict or object whose entries say what they are.
        scale: what the second of a pair is: one of ``SCALES``.

    Raises:
        ArgumentError: for any other form.

    Example:
        >>> read_posterior((torch.zeros(1, 2), torch.zeros(1, 2)))[1]
        tensor([[1., 1.]])
        >>> read_posterior({"mu": torch.zeros(1, 2), "std": torch.full((1, 2), 0.5)})[1]
        tensor([[0.5000, 0.5000]])
    """
    return read_entries(lambda name: getattr(output, name, None), type(output).__name__, scale)


@read_posterior.register
def _(output: Distribution, scale: str = "log_variance") -> Gaussian:
    inner = output.base_dist if isinstance(output, Independent) else output
    if not isinstance(inner, Normal):
        raise ArgumentError(
            "encode", type(output).__name__, "must be a Normal: figures rest on a diagonal Gaussian q(z|x)"
        )
    mean, stddev = torch.broadcast_tensors(inner.loc, inner.scale)
    return mean, stddev


@read_posterior.register
def _(output: Tensor, scale: str = "log_variance") -> Gaussian:
    allowed = f"must give {FORMS}; if both lie in one tensor: encode=lambda x: model.encode(x).chunk(2, dim=1)"
    raise ArgumentError("encode", f"one tensor {tuple(output.shape)}", allowed)


@read_posterior.register
def _(output: Mapping, scale: str = "log_variance") -> Gaussian:  # type: ignore[type-arg]
    return read_entries(output.get, "dict", scale)


@read_posterior.register(tuple)
@read_posterior.register(list)
def _(output: Any, scale: str = "log_variance") -> Gaussian:
    whole = next((part for part in output if isinstance(part, Distribution)), None)
    if whole is not None:
        return read_posterior(whole, scale)
    tensors = [part for part in output if isinstance(part, Tensor)]
    if len(tensors) != 2 or tensors[0].shape != tensors[1].shape:
        shapes = ", ".join(str(tuple(part.shape)) for part in tensors) or "no tensor"
        allowed = f"must give {FORMS}, such as encode=lambda x: model.encode(x)[:2]"
        raise ArgumentError("encode", f"a tuple of {shapes}", allowed)
    return tensors[0], stddev_of(tensors[1], scale)


def read_entries(entry: Callable[[str], Any], kind: str, scale: str) -> Gaussian:
    """The Gaussian among named entries; a name says what the second one is, whatever ``scale`` says.

    Raises:
        ArgumentError: when there is none.
    """
    for name in HOLDERS:
        if entry(name) is not None:
            return read_posterior(entry(name), scale)
    mean = next((found for name in MEANS if isinstance(found := entry(name), Tensor)), None)
    for said, names in SECONDS.items():
        second = next((found for name in names if isinstance(found := entry(name), Tensor)), None)
        if mean is not None and second is not None:
            return mean, stddev_of(second, said)
    raise ArgumentError("encode", f"a {kind}", f"must give {FORMS}")


def stddev_of(second: Tensor, scale: str) -> Tensor:
    """The standard deviation that the second of a pair stands for.

    Raises:
        ArgumentError: when it cannot be what ``scale`` says.
    """
    if scale in ("stddev", "variance") and bool((second < 0).any()):
        raise ArgumentError("scale", scale, "some are negative; are they log-variances? scale='log_variance'")
    return SCALES[scale](second)
