"""Residual encoder and decoder, for images of any size."""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from vae_lab.checks import choice, integer
from vae_lab.networks.conv import check_stages

NORMS = ("group", "none")
GROUPS = 8  # of channels that GroupNorm normalises together, where the width has that divisor


def halved(size: Sequence[int], stages: int) -> list[tuple[int, ...]]:
    """The sizes (H, W) from the image down, each half of the one before, rounded up.

    Example:
        >>> halved((28, 20), 3)
        [(28, 20), (14, 10), (7, 5), (4, 3)]
    """
    sizes = [tuple(size)]
    for _ in range(stages):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes


def normalisation(norm: str, channels: int) -> nn.Module:
    """GroupNorm (Wu & He 2018), which looks at one image alone, or nothing."""
    if choice("norm", norm, NORMS) == "none":
        return nn.Identity()
    return nn.GroupNorm(math.gcd(channels, GROUPS), channels)


class ResidualBlock(nn.Module):
    """Images (B, before, H, W) to (B, after, H, W), or to half of H and W, rounded up, with ``stride`` 2.

    out = skip(h) + conv(g(norm(conv(g(norm(h))))))

    with g the SiLU: the block with its activations first (He et al. 2016b). ``skip`` is a 1x1 convolution where width
    or size change.
    """

    def __init__(self, before: int, after: int, stride: int, norm: str) -> None:
        super().__init__()
        first = nn.Conv2d(before, after, 3, stride=stride, padding=1)
        second = nn.Conv2d(after, after, 3, padding=1)
        self.branch = nn.Sequential(
            *(normalisation(norm, before), nn.SiLU(), first), *(normalisation(norm, after), nn.SiLU(), second)
        )
        changes = stride > 1 or before != after
        self.skip = nn.Conv2d(before, after, 1, stride=stride) if changes else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.skip(h) + self.branch(h)
        return out


class ResNetEncoder(nn.Module):
    """Images (B, C, H, W) to location and raw scale, each (B, D), by residual blocks (He et al. 2016).

    Each stage halves height and width, rounding up: no size is refused.

    Args:
        image_shape: (C, H, W).
        latent_dim: D.
        channels: the width of each stage, from fine to coarse.
        blocks: residual blocks in each stage.
        norm: ``group``, which does not make an image depend on its batch, or ``none``.

    Raises:
        ValueError: when there is no stage, for numbers that are not whole and >= 1, or an unknown norm.

    Example:
        >>> import torch
        >>> location, raw_scale = ResNetEncoder((3, 15, 9), latent_dim=4, channels=[8, 16])(torch.zeros(5, 3, 15, 9))
        >>> location.shape, raw_scale.shape
        (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        channels: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        norm: str = "group",
    ) -> None:
        super().__init__()
        widths, repeats = check_stages(channels), range(integer("blocks", blocks) - 1)
        stages: list[nn.Module] = [nn.Conv2d(image_shape[0], widths[0], 3, padding=1)]
        for before, after in zip([widths[0], *widths], widths, strict=False):
            stages.append(ResidualBlock(before, after, 2, norm))
            stages += [ResidualBlock(after, after, 1, norm) for _ in repeats]
        coarse = halved(image_shape[1:], len(widths))[-1]
        head = [normalisation(norm, widths[-1]), nn.SiLU(), nn.Flatten()]
        self.net = nn.Sequential(*stages, *head, nn.Linear(widths[-1] * math.prod(coarse), 2 * latent_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        location, raw_scale = self.net(x).chunk(2, dim=-1)
        return location, raw_scale


class Upsample(nn.Module):
    """Images (B, C, h, w) to (B, C, H, W): each pixel becomes those nearest to it."""

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.size = list(size)

    def forward(self, h: Tensor) -> Tensor:
        return interpolate(h, size=self.size, mode="nearest")


class ResNetDecoder(nn.Module):
    """Latents (B, D) to likelihood parameters (B, C, H, W) by residual blocks (He et al. 2016).

    The sizes of the stages are those of the encoder, walked backwards: after each stage the image is brought to the
    next size by its nearest pixels, without the checkerboards of transposed convolutions (Odena et al. 2016).

    Args:
        image_shape: (C, H, W).
        latent_dim: D.
        channels: the width of each stage, given as for the encoder, from fine to coarse.
        blocks: residual blocks in each stage.
        norm: ``group`` or ``none``.

    Raises:
        ValueError: as ``ResNetEncoder``.

    Example:
        >>> import torch
        >>> ResNetDecoder((3, 15, 9), latent_dim=4, channels=[8, 16])(torch.zeros(5, 4)).shape
        torch.Size([5, 3, 15, 9])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        channels: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        norm: str = "group",
    ) -> None:
        super().__init__()
        widths = check_stages(channels)[::-1]
        *finer, coarse = halved(image_shape[1:], len(widths))
        shape = (widths[0], *coarse)
        stages: list[nn.Module] = [nn.Linear(latent_dim, math.prod(shape)), nn.Unflatten(1, shape)]
        for i, size in enumerate(reversed(finer)):
            after = widths[min(i + 1, len(widths) - 1)]
            stages += [ResidualBlock(widths[i], widths[i], 1, norm) for _ in range(integer("blocks", blocks) - 1)]
            stages += [ResidualBlock(widths[i], after, 1, norm), Upsample(size)]
        head = [normalisation(norm, widths[-1]), nn.SiLU(), nn.Conv2d(widths[-1], image_shape[0], 3, padding=1)]
        self.net = nn.Sequential(*stages, *head)

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.net(z)
        return image
