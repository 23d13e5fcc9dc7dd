"""Convolutional encoder and decoder: each stage halves or doubles height and width."""

from collections.abc import Sequence

from torch import Tensor, nn

from vae_lab.checks import ArgumentError, flag, integer
from vae_lab.networks.mlp import check_widths


def check_stages(channels: Sequence[int]) -> list[int]:
    """The widths of the stages, one at least.

    Raises:
        ValueError: when they are no list of whole numbers >= 1, or there are none.
    """
    widths = check_widths("channels", channels)
    if not widths:
        raise ArgumentError("channels", widths, "must name at least one stage, such as [32,64]")
    return widths


def coarsest(image_shape: tuple[int, int, int], channels: Sequence[int]) -> tuple[int, int, int]:
    """The shape (C, H, W) after all stages.

    Raises:
        ValueError: when height and width cannot be halved so often.
    """
    widths = check_stages(channels)
    _, height, width = image_shape
    factor = 2 ** len(widths)
    if height % factor or width % factor:
        raise ArgumentError(
            "channels",
            widths,
            f"{len(widths)} stages need height and width divisible by {factor}, "
            f"the images are {height}x{width}; use fewer stages or the mlp networks",
        )
    return widths[-1], height // factor, width // factor


class ConvEncoder(nn.Module):
    """Images (B, C, H, W) to location and raw scale, each (B, D), by 4x4 convolutions of stride 2.

    Example:
        >>> import torch
        >>> location, raw_scale = ConvEncoder((1, 8, 8), latent_dim=4, channels=[8, 16])(torch.zeros(5, 1, 8, 8))
        >>> location.shape, raw_scale.shape
        (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        channels: Sequence[int] = (32, 64),
        hidden: int = 256,
    ) -> None:
        super().__init__()
        shape = coarsest(image_shape, channels)
        stages: list[nn.Module] = []
        for before, after in zip([image_shape[0], *channels[:-1]], channels, strict=True):
            stages += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        wide = integer("hidden", hidden)
        head = [nn.Linear(shape[0] * shape[1] * shape[2], wide), nn.ReLU(), nn.Linear(wide, 2 * latent_dim)]
        self.net = nn.Sequential(*stages, nn.Flatten(), *head)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        location, raw_scale = self.net(x).chunk(2, dim=-1)
        return location, raw_scale


class ConvDecoder(nn.Module):
    """Latents (B, D) to likelihood parameters (B, C, H, W) by 4x4 transposed convolutions of stride 2.

    ``channels`` is given as for the encoder, from fine to coarse, and walked backwards. With ``skip`` z enters every
    layer, not only the first (Skip-VAE, Dieng et al. 2019):

    h_{l+1} = g(h_l, z)

    To what a layer gives, a linear map of z is added, one number for each unit or channel.

    Example:
        >>> import torch
        >>> ConvDecoder((1, 8, 8), latent_dim=4, channels=[8, 16])(torch.zeros(5, 4)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        channels: Sequence[int] = (32, 64),
        hidden: int = 256,
        skip: bool = False,
    ) -> None:
        super().__init__()
        shape = coarsest(image_shape, channels)
        wide = integer("hidden", hidden)
        head = [nn.Linear(latent_dim, wide), nn.ReLU(), nn.Linear(wide, shape[0] * shape[1] * shape[2]), nn.ReLU()]
        stages: list[nn.Module] = []
        outwards = list(reversed(channels))
        for before, after in zip(outwards, [*outwards[1:], image_shape[0]], strict=True):
            stages += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        self.net = nn.Sequential(*head, nn.Unflatten(1, shape), *stages[:-1])
        self.skips = nn.ModuleDict()  # by the name of the layer in ``net`` to whose output they add
        for name, layer in list(self.net.named_children())[1:] if flag("skip", skip) else []:
            if isinstance(layer, (nn.Linear, nn.ConvTranspose2d)):
                width = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
                self.skips[name] = nn.Linear(latent_dim, width, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        h = z
        for name, layer in self.net.named_children():
            h = layer(h)
            if name in self.skips:
                more: Tensor = self.skips[name](z)
                h = h + more.unflatten(-1, (-1, *[1] * (h.ndim - 2)))
        return h
