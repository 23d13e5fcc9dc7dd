"""The perceptual loss: a distance of feature maps, between an image and the mean image of p(x|z).

Shapes: B batch; images are (B, C, H, W) in [0, 1]; the maps of layer l are (B, C_l, H_l, W_l).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vae_lab.checks import number
from vae_lab.perceptual.features import Features

LEAST = 1e-10  # added to a squared length, which may be zero


def distance(maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """The squared distance (B,) of feature maps, each normalised over its channels at each place.

    d = Σ_l 1/(H_l W_l) Σ_hw ‖ f̂_l,hw - ĝ_l,hw ‖²,   f̂ = f / ‖f‖

    It is LPIPS' (Zhang et al. 2018) with all its learnt weights 1; a layer contributes from 0 to 4. At least float32.

    Example:
        >>> ahead, behind = torch.tensor([[[[2.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[3.0]]]])
        >>> distance([ahead], [behind])  # two unit vectors at a right angle
        tensor([2.])
    """
    parts = [(unit(f) - unit(g)).square().sum(1).flatten(1).mean(1) for f, g in zip(maps, others, strict=True)]
    return torch.stack(parts).sum(0)


def unit(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) of length 1 over the channels, at least in float32."""
    wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
    return wide * (wide.square().sum(1, keepdim=True) + LEAST).rsqrt()


class PerceptualLoss(nn.Module):
    """λ and the frozen ``features`` of a perceptual term (DFC-VAE, Hou et al. 2017).

    λ, a buffer, is part of a checkpoint; the features' network is not. A model that was loaded has no features until
    they are put in: then its loss has no such term.

    Args:
        lambd: λ >= 0, nats per unit of ``distance``.

    Example:
        >>> from vae_lab.perceptual.classifier import Small
        >>> from vae_lab.perceptual.frozen import draw
        >>> network = Small(channels=1)
        >>> draw(network, seed=0)
        >>> loss = PerceptualLoss(lambd=10.0)
        >>> loss.features = Features(network, channels=1)
        >>> x = torch.rand(5, 1, 8, 8)
        >>> loss(x, x)
        tensor([0., 0., 0., 0., 0.])
        >>> list(loss.state_dict())
        ['lambd']
    """

    lambd: Tensor  # ()
    features: Features | None

    def __init__(self, lambd: float = 100.0) -> None:
        super().__init__()
        self.register_buffer("lambd", torch.tensor(number("lambd", lambd, low=0)))
        self.features = None

    def forward(self, reconstruction: Tensor, x: Tensor) -> Tensor:
        """The ``distance`` (B,) of mean images and images, each (B, C, H, W)."""
        assert self.features is not None
        return distance(self.features(reconstruction), self.features(x)).to(self.lambd)
