"""What a decoder gives, as a tensor or a distribution; and pixels as what a likelihood takes.

A reader is registered by the type of the output, a conversion by the class of the likelihood.
"""

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution, Independent, Normal

from vae_lab.checks import ArgumentError
from vae_lab.elbo.distributions import tilt
from vae_lab.elbo.likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood

ENTRIES = ("sample", "reconstruction", "recon_x", "x_hat", "recon", "logits", "x", "px", "image", "images")
FORMS = "a tensor, a torch.distributions object, or a dict or object that holds one"


@singledispatch
def read_output(output: Any) -> Tensor | Distribution:
    """The tensor or distribution in what ``decode`` gives.

    Two tensors of one shape are the mean and the log-variance of Gaussian pixels.

    Raises:
        ArgumentError: where there is none.

    Example:
        >>> read_output({"reconstruction": torch.zeros(1, 2)})
        tensor([[0., 0.]])
        >>> read_output((torch.zeros(1, 2), torch.zeros(1, 2)))
        Normal(loc: torch.Size([1, 2]), scale: torch.Size([1, 2]))
    """
    entries = output if isinstance(output, Mapping) else {name: getattr(output, name, None) for name in ENTRIES}
    for name in ENTRIES:
        if isinstance(entries.get(name), (Tensor, Distribution)):
            return read_output(entries[name])
    raise ArgumentError("decode", f"gives a {type(output).__name__}", f"must give {FORMS}")


@read_output.register(Tensor)
@read_output.register(Distribution)
def _(output: Any) -> Tensor | Distribution:
    return output  # type: ignore[no-any-return]


@read_output.register(tuple)
@read_output.register(list)
def _(output: Any) -> Tensor | Distribution:
    tensors = [part for part in output if isinstance(part, Tensor)]
    if len(output) == 2 and len(tensors) == 2 and tensors[0].shape == tensors[1].shape:
        return Normal(tensors[0], (0.5 * tensors[1]).exp(), validate_args=False)
    if not output:
        raise ArgumentError("decode", "gives an empty tuple", f"must give {FORMS}")
    return read_output(output[0])


def named(given: Distribution) -> tuple[Likelihood, Tensor] | None:
    """A distribution that one of our likelihoods is, and its parameters; None for others.

    Theory knows the spectrum of ours.

    Example:
        >>> named(Normal(torch.zeros(3), torch.full((3,), 0.5)))[0].variance
        0.25
    """
    inner = given.base_dist if isinstance(given, Independent) else given
    if isinstance(inner, TorchBernoulli):
        return Bernoulli(), inner.logits
    if isinstance(inner, Normal) and bool((inner.scale == inner.scale.flatten()[0]).all()):
        return Gaussian(variance=float(f"{float(inner.scale.flatten()[0]) ** 2:.6g}")), inner.loc
    return None


@singledispatch
def from_pixels(likelihood: Likelihood, pixels: Tensor) -> Tensor:
    """The parameters that a likelihood takes where its mean is ``pixels``, any shape.

    Example:
        >>> from_pixels(Bernoulli(), torch.tensor([0.5]))
        tensor([0.])
    """
    return pixels


@from_pixels.register
def _(likelihood: Bernoulli, pixels: Tensor) -> Tensor:
    limits = torch.finfo(pixels.dtype)
    return pixels.clamp(limits.tiny, 1 - limits.eps / 2).logit()


@from_pixels.register
def _(likelihood: ContinuousBernoulli, pixels: Tensor) -> Tensor:
    return tilt(pixels)
