"""An encoder for latent sequences: each step tells of what comes in the image, not of what has been."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vae_lab.checks import integer, sequence_length


class AntiCausalEncoder(nn.Module):
    """Images (B, C, H, W) to location and raw scale, each (B, D), of a latent sequence (Razavi et al. 2019).

    The image is cut along its raster order, all channels of a pixel together, into ``steps`` consecutive segments whose
    lengths differ by at most one pixel. Step t of the latent, channels ``[t·S, (t+1)·S)`` of D = steps · S as
    ``priors.AR1`` reads them, depends on the segments t, t+1, ... alone: beside a decoder that has seen the past, z_t
    has nothing to say but the future.

    The first layer is an anti-causal convolution over the segments that reaches to the last one; what follows works on
    each step by itself. ``position`` tells the steps apart: with it the posterior nearest to the AR(1) prior, whose
    variance differs between the ends and the inside, can be had without the image.

    Args:
        image_shape: (C, H, W).
        latent_dim: D, a multiple of ``steps``.
        steps: the length of the latent sequence, at least 2 and at most H·W; that of the model.
        hidden: the width of the hidden layers.
        layers: their number.

    Raises:
        ValueError: when the steps do not fit, or for widths that are not whole numbers >= 1.

    Example:
        >>> location, raw_scale = AntiCausalEncoder((1, 8, 8), latent_dim=4, steps=2)(torch.zeros(5, 1, 8, 8))
        >>> location.shape, raw_scale.shape
        (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(
        self, image_shape: tuple[int, int, int], latent_dim: int, steps: int, hidden: int = 128, layers: int = 2
    ) -> None:
        super().__init__()
        colours, height, width = image_shape
        self.steps = sequence_length(steps, latent_dim, high=height * width)
        integer("hidden", hidden)
        longest = -(-height * width // steps)
        self.ahead = nn.Conv1d(colours * longest, hidden, steps)
        self.position = nn.Parameter(torch.zeros(hidden, steps))
        within: list[nn.Module] = []
        for _ in range(integer("layers", layers) - 1):
            within += [nn.ReLU(), nn.Conv1d(hidden, hidden, 1)]
        self.within = nn.Sequential(*within, nn.ReLU(), nn.Conv1d(hidden, 2 * latent_dim // steps, 1))

    def segments(self, x: Tensor) -> Tensor:
        """Cut images (B, C, H, W) into (B, C · pixels, steps); a segment that is shorter by a pixel ends with zeros."""
        pixels = x.flatten(2)
        short, over = divmod(pixels.shape[-1], self.steps)
        longer, shorter = pixels.tensor_split((over * (short + 1),), dim=-1)
        segments: Tensor = shorter.unflatten(-1, (self.steps - over, short))
        if over:
            segments = torch.cat([longer.unflatten(-1, (over, short + 1)), functional.pad(segments, (0, 1))], dim=2)
        return segments.transpose(2, 3).flatten(1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        after = functional.pad(self.segments(x), (0, self.steps - 1))  # what lies beyond the image is 0
        answer = self.within(self.ahead(after) + self.position)  # (B, 2S, steps)
        location, raw_scale = answer.transpose(1, 2).chunk(2, dim=-1)
        return location.flatten(1), raw_scale.flatten(1)
