"""A network that is used and never trained: no parameters, no training mode, nothing in a checkpoint."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vae_lab import noise

Network = TypeVar("Network", bound=nn.Module)


class ConvNorm(nn.Module):
    """A convolution and its batch norm, which ``folded`` makes one convolution."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv = conv
        self.norm: nn.Module = norm

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm(self.conv(x))
        return h

    def fold(self) -> None:
        """Take the batch norm, as it is in evaluation, into the convolution's weights."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = nn.Identity()


def empty(make: Callable[[], Network]) -> Network:
    """A network whose weights are not filled: none is drawn, so that no generator moves.

    Example:
        >>> empty(lambda: nn.Linear(2, 3)).weight.shape
        torch.Size([3, 2])
    """
    with torch.device("meta"):
        network = make()
    return network.to_empty(device="cpu")


def draw(network: nn.Module, seed: int) -> None:
    """Fill every layer with He's initialisation (He et al. 2015): N(0, 2 / fan in), biases 0; batch norms do nothing.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> draw(layer, seed=0)
        >>> layer.bias.tolist()
        [0.0, 0.0, 0.0]
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # constants, no draw
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            weight = module.weight.data
            drawn = noise.normal(tuple(weight.shape), weight, seed=seed, purpose=f"features/{name}", index=0)
            weight.copy_(drawn * (2 / weight[0].numel()) ** 0.5)
            if module.bias is not None:
                module.bias.data.zero_()


def freeze(network: nn.Module) -> None:
    """Turn parameters into buffers that move with a model and are in none of its checkpoints; fold batch norms.

    An optimizer does not see them, and ``torch.func.stack_module_state`` stacks them as it does all buffers.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> freeze(layer)
        >>> list(layer.parameters()), list(layer.state_dict()), sorted(name for name, _ in layer.named_buffers())
        ([], [], ['bias', 'weight'])
    """
    for module in list(network.modules()):
        if isinstance(module, ConvNorm):
            module.fold()
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach().clone(), persistent=False)
