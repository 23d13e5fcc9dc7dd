"""Decoders and likelihoods as data that the page's ``decoder.js`` computes with.

``layers_of`` and ``mean_of`` are registries by class: whoever writes a network may register its layers beside it. A
subclass is not taken for its base, since it may compute something else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from torch import Tensor, nn

from vae_lab.elbo.likelihoods import Bernoulli, ContinuousBernoulli, DiscretizedLogistic, Gaussian
from vae_lab.explorer.blocks import block
from vae_lab.networks import ConvDecoder, LinearDecoder, MLPDecoder
from vae_lab.networks.mlp import SkipMLP


class NoForm(ValueError):
    """A part that the page cannot compute with."""


@dataclass(frozen=True)
class Layer:
    """One layer of a decoder: out = g(W h + b + S z), g a ReLU or nothing.

    Args:
        kind: ``linear``, ``diagonal`` or ``transposed`` (a transposed convolution).
        weight: W: (outputs, inputs); the diagonal (inputs,); or (channels in, channels out, k, k).
        bias: b, one for each output or channel.
        relu: whether g is a ReLU.
        skip: S, (outputs or channels, D), where z enters this layer again.
        shape: what else a transposed convolution needs: ``input`` (C, H, W), ``stride`` and ``padding``.
    """

    kind: str
    weight: Tensor
    bias: Tensor
    relu: bool = False
    skip: Tensor | None = None
    shape: dict[str, Any] = field(default_factory=dict)

    def content(self, precision: str) -> dict[str, Any]:
        """The layer as the page reads it."""
        skip = None if self.skip is None else block(self.skip, precision)
        numbers = {"weight": block(self.weight, precision), "bias": block(self.bias, precision), "skip": skip}
        return {"kind": self.kind, "relu": self.relu, **numbers, **self.shape}


def registered(form: Any, part: object) -> Any:
    """What the registry ``form`` makes of a part.

    Raises:
        NoForm: when the class of the part is not in it.
    """
    if type(part) not in form.registry:
        raise NoForm(f"{type(part).__name__} cannot be written into a page")
    return form(part)


@singledispatch
def layers_of(decoder: nn.Module) -> list[Layer]:
    """The layers of a decoder, from z to the likelihood's parameters.

    Example:
        >>> [layer.kind for layer in layers_of(ConvDecoder((1, 8, 8), latent_dim=2, channels=[4, 8]))]
        ['linear', 'linear', 'transposed', 'transposed']
    """
    raise NoForm(f"{type(decoder).__name__} cannot be written into a page")


@layers_of.register
def _(decoder: LinearDecoder) -> list[Layer]:
    kind = "diagonal" if decoder.linearity == "diagonal" else "linear"
    return [Layer(kind, decoder.weight, decoder.bias)]


@layers_of.register
def _(decoder: MLPDecoder) -> list[Layer]:
    if isinstance(decoder.net, SkipMLP):
        return list(skip_layers(decoder.net))
    return list(walk(decoder.net.named_children(), {}, ()))


@layers_of.register
def _(decoder: ConvDecoder) -> list[Layer]:
    shape = next(layer.unflattened_size for layer in decoder.net if isinstance(layer, nn.Unflatten))
    return list(walk(decoder.net.named_children(), dict(decoder.skips.named_children()), tuple(map(int, shape))))


def skip_layers(net: SkipMLP) -> Iterator[Layer]:
    """Layers that read z beside their own input: the last D columns of their weights are S."""
    first, *others = (layer for layer in net.layers if isinstance(layer, nn.Linear))
    latent_dim = first.in_features
    yield Layer("linear", first.weight, first.bias, relu=bool(others))
    for i, layer in enumerate(others, 1):
        own, skip = layer.weight[:, :-latent_dim], layer.weight[:, -latent_dim:]
        yield Layer("linear", own, layer.bias, relu=i < len(others), skip=skip)


def walk(children: Any, skips: dict[str, nn.Module], shape: tuple[int, ...]) -> Iterator[Layer]:
    """The layers among named modules; ``shape`` (C, H, W) is the input of the first transposed convolution."""
    modules = list(children)
    following = [module for _, module in modules[1:]] + [None]
    for (name, module), after in zip(modules, following, strict=True):
        relu, skip = isinstance(after, nn.ReLU), getattr(skips.get(name), "weight", None)
        if isinstance(module, nn.Linear):
            yield Layer("linear", module.weight, module.bias, relu, skip)
        elif isinstance(module, nn.ConvTranspose2d):
            assert module.bias is not None
            stride, padding = module.stride[0], int(module.padding[0])
            about = {"input": shape, "stride": stride, "padding": padding}
            yield Layer("transposed", module.weight, module.bias, relu, skip, about)
            sides = [(side - 1) * stride - 2 * padding + module.kernel_size[0] for side in shape[1:]]
            shape = (module.out_channels, *sides)


@singledispatch
def mean_of(likelihood: object) -> dict[str, Any]:
    """How the page makes the mean of p(x|z) from the decoder's output.

    Example:
        >>> mean_of(Gaussian())
        {'kind': 'identity'}
    """
    raise NoForm(f"{type(likelihood).__name__} cannot be written into a page")


@mean_of.register
def _(likelihood: Bernoulli) -> dict[str, Any]:
    return {"kind": "sigmoid"}


@mean_of.register
def _(likelihood: ContinuousBernoulli) -> dict[str, Any]:
    return {"kind": "tilted"}


@mean_of.register
def _(likelihood: Gaussian) -> dict[str, Any]:
    return {"kind": "identity"}


@mean_of.register
def _(likelihood: DiscretizedLogistic) -> dict[str, Any]:
    return {"kind": "clipped_logistic", "scale": float(likelihood.log_scale.detach().exp())}
