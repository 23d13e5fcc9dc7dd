"""VGG16's convolutions (Simonyan & Zisserman 2015). Their weights are a file that a person brings: no download."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from vae_lab.checks import ArgumentError, one_line

FILE = "vgg16-397923af.pth"  # torchvision's weights, as torch.hub names them in its cache
MEAN, STDDEV = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TAPS = (3, 8, 15, 22)  # relu1_2, relu2_2, relu3_3 and relu4_3; the three layers of DFC-VAE are among the first three
PREFIX = "features."


class VGG16(nn.Module):
    """Pictures (B, 3, H, W), normalised by ``MEAN`` and ``STDDEV``, to the maps at ``TAPS``: 64 to 512 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = vgg16(weights=None).features[: max(TAPS) + 1]
        for layer in self.layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # what it is given may be seen by a transform of torch.func

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in TAPS:
                maps.append(x)
        return maps


def weights_file(given: str | None) -> Path:
    """The file that a person names, or the one in torch.hub's cache.

    Raises:
        ArgumentError: when there is none; says where to get it and where to put it.
    """
    file = Path(given).expanduser() if given else Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if file.is_file():
        return file
    where = f"https://download.pytorch.org/models/{FILE}"
    ways = f"get {where} and put it there, or name it by perceptual.weights=FILE"
    raise ArgumentError("weights", given or "null", f"no file {file}; {ways}")


def load_weights(network: VGG16, given: str | None) -> None:
    """Fill it with torchvision's weights, of the whole network or of its convolutions alone.

    Raises:
        ArgumentError: when there is no such file, or it holds something else.
    """
    file = weights_file(given)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        named = {name.removeprefix(PREFIX): weight for name, weight in content.items()}
        own = network.layers.state_dict()
        network.layers.load_state_dict({name: named[name] for name in own}, assign=True)
    except Exception as error:  # pickle, zipfile, torch and a dictionary each have their own
        raise ArgumentError("weights", file, f"holds no weights of torchvision's vgg16 ({one_line(error)})") from error
