"""A decoder of styles: z becomes the scale of every channel of every convolution, noise the detail."""

import math
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

from vae_lab.checks import ArgumentError, integer
from vae_lab.networks.mlp import check_widths
from vae_lab.networks.resnet import halved

SLOPE = 0.2  # of the leaky ReLU below 0
GAIN = math.sqrt(2)  # keeps the variance that a leaky ReLU takes away
LEAST = 1e-8  # added to a squared norm


class ModulatedConv(nn.Module):
    """Feature maps (B, inputs, H, W) and styles w (B, S) to maps (B, outputs, H, W) (Karras et al. 2020, section 2.2).

    Each image has a kernel of its own, its input channels scaled by its style and, with ``demodulate``, brought back
    to norm 1 for each output channel:

    k'_boi = k_oi · s_bi,   k''_boi = k'_boi / √( Σ_i,p k'²_boip + ε ),   s = A w + 1

    Computed as scaled inputs, one convolution and scaled outputs, which is the same and needs no kernel per image.

    Args:
        inputs: channels of the maps.
        outputs: of the result.
        style: S.
        kernel: its side, odd.
        demodulate: whether the kernels get norm 1.
    """

    def __init__(self, inputs: int, outputs: int, style: int, kernel: int = 3, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / math.sqrt(inputs * kernel**2))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.style = nn.Linear(style, inputs)
        nn.init.ones_(self.style.bias)
        self.demodulate = demodulate

    def forward(self, h: Tensor, w: Tensor) -> Tensor:
        scale = self.style(w)
        h = conv2d(h * scale[:, :, None, None], self.weight, padding=self.weight.shape[-1] // 2)
        if self.demodulate:
            squares = scale.square() @ self.weight.square().sum((2, 3)).T
            h = h * (squares + LEAST).rsqrt()[:, :, None, None]
        return h + self.bias[:, None, None]


class StyleLayer(nn.Module):
    """A modulated convolution, noise of a learnt strength for all channels alike, and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, style)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """Maps (B, inputs, H, W), styles (B, S) and noise (B, 1, H, W) to maps (B, outputs, H, W)."""
        return GAIN * leaky_relu(self.conv(h, w) + self.strength * noise, SLOPE)


def mapping_network(latent_dim: int, style: int, layers: int) -> nn.Sequential:
    """Latents (B, D) to styles (B, S), through ``layers`` fully connected layers with leaky ReLUs."""
    sizes = [latent_dim, *[style] * layers]
    parts: list[nn.Module] = []
    for before, after in pairwise(sizes):
        parts += [nn.Linear(before, after), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*parts)


class StyleDecoder(nn.Module):
    """Latents (B, D) and noise (B, N) to likelihood parameters (B, C, H, W): the generator of StyleGAN2.

    A mapping network turns z into a style w, which scales the channels of each convolution of a network that starts
    from a learnt constant; each layer adds noise; each size adds its picture to that of the size before (Karras et al.
    2020, section 2). Here without the adversary, with plain bilinear upsampling, and without the normalisation of z,
    whose length carries information. The noise is an input, standard normal, one number for each pixel of each layer:
    the model draws it by seed and image, and its loss stays a pure function. p(x|z) is then a mixture over the noise,
    and E[-log p(x|z, noise)] is no less than -log p(x|z).

    Args:
        image_shape: (C, H, W), of any size.
        latent_dim: D.
        channels: the width at each size, from fine to coarse, each half of the one before, rounded up.
        style: S, the width of w.
        mapping_layers: of the mapping network.

    Raises:
        ValueError: when there are fewer than two sizes, or for numbers that are not whole and >= 1.

    Example:
        >>> decoder = StyleDecoder((3, 12, 10), latent_dim=4, channels=[8, 8, 16], style=16)
        >>> decoder(torch.zeros(5, 4), torch.zeros(5, decoder.noise_size)).shape
        torch.Size([5, 3, 12, 10])
        >>> decoder.noise_size  # 3x3 once, 6x5 and 12x10 twice
        309
    """

    autoregressive: ClassVar = False

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        channels: list[int] | tuple[int, ...] = (32, 64, 128, 128),
        style: int = 128,
        mapping_layers: int = 4,
    ) -> None:
        super().__init__()
        widths = check_widths("channels", channels)[::-1]
        if len(widths) < 2:
            raise ArgumentError("channels", widths, "must name at least two sizes, such as [32,64]")
        self.sizes = halved(image_shape[1:], len(widths) - 1)[::-1]
        self.mapping = mapping_network(latent_dim, integer("style", style), integer("mapping_layers", mapping_layers))
        self.constant = nn.Parameter(torch.randn(widths[0], *self.sizes[0]))
        pairs = [(widths[0], widths[0])]
        for before, after in pairwise(widths):
            pairs += [(before, after), (after, after)]
        self.layers = nn.ModuleList(StyleLayer(before, after, style) for before, after in pairs)
        self.pictures = nn.ModuleList(ModulatedConv(n, image_shape[0], style, 1, demodulate=False) for n in widths)
        layer_sizes = [self.sizes[0], *(size for size in self.sizes[1:] for _ in range(2))]
        self.noise_sizes = [math.prod(size) for size in layer_sizes]

    @property
    def noise_size(self) -> int:
        """N, how many numbers of noise an image takes."""
        return sum(self.noise_sizes)

    def forward(self, z: Tensor, noise: Tensor) -> Tensor:
        w, drawn = self.mapping(z), iter(noise.split(self.noise_sizes, dim=1))
        layers = iter(self.layers)
        h = self.constant.expand(len(z), *self.constant.shape)
        image = torch.zeros((), dtype=h.dtype, device=h.device)
        for i, (size, picture) in enumerate(zip(self.sizes, self.pictures, strict=True)):
            if i > 0:
                h, image = (interpolate(part, size=list(size), mode="bilinear") for part in (h, image))
            for _ in range(2 if i else 1):
                h = next(layers)(h, w, next(drawn).unflatten(1, (1, *size)))
            image = image + picture(h, w)
        return image
