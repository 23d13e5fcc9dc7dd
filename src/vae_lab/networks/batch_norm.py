"""Batch normalisation over the batch that all processes of a run share."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from vae_lab.collective import batch_mean, total


def bn_mean(mean: Tensor, normalise: nn.Module, gamma: Tensor | float, shift: Tensor | float) -> Tensor:
    """The posterior means (B, D) of a BN-VAE (Zhu et al. 2020): γ · BN(mean) + b, where BN has no parameters."""
    scaled: Tensor = gamma * normalise(mean) + shift
    return scaled


class SharedBatchNorm(_BatchNorm):
    """torch's BatchNorm, for any number of dimensions, with the moments of the whole batch in training.

    torch's own SyncBatchNorm runs on GPUs only.
    """

    @classmethod
    def of(cls, layer: _BatchNorm) -> "SharedBatchNorm":
        """One with the settings of a layer, and with its parameters and statistics themselves."""
        shared = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        shared._parameters, shared._buffers = layer._parameters, layer._buffers
        return shared.train(layer.training)

    @override
    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of dimensions."""

    @override
    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        channels = [-1, *[1] * (x.ndim - 2)]
        mean = batch_mean(over_pixels(x))
        centred = x - mean.view(channels)
        variance = batch_mean(over_pixels(centred.square()))
        if self.track_running_stats:
            self.follow(mean.detach(), variance.detach(), x[:, 0].numel())
        scaled = centred * (variance + self.eps).rsqrt().view(channels)
        if self.affine:
            scaled = scaled * self.weight.view(channels) + self.bias.view(channels)
        return scaled.to(input.dtype)

    def follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Take the moments (C,) of a batch into the running ones; ``count``: of this process' values per channel."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        part = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        n = total(torch.full((), count, dtype=mean.dtype, device=mean.device))
        for running, now in ((self.running_mean, mean), (self.running_var, variance * n / (n - 1))):
            assert running is not None
            running.lerp_(now.to(running.dtype), part)


def over_pixels(x: Tensor) -> Tensor:
    """The mean over all dimensions but the first two, batch and channel: (B, C)."""
    return x.flatten(2).mean(2) if x.ndim > 2 else x


def share_batch_norms(module: nn.Module) -> None:
    """Put a ``SharedBatchNorm`` in the place of every batch normalisation within a module."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, SharedBatchNorm.of(child))
        else:
            share_batch_norms(child)
