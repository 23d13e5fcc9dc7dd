"""A small network trained on the data's own labels: features of small grey images, which ImageNet's say little of.

It is trained once and kept beside the data, under a name made of what it was trained on and how.
"""

import hashlib
import io
import json
import logging
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vae_lab import noise
from vae_lab.checks import ArgumentError
from vae_lab.data import ImageData, Split
from vae_lab.files import put_whole
from vae_lab.perceptual.frozen import draw, empty

log = logging.getLogger(__name__)

WIDTHS = (32, 64, 128)
STEPS, BATCH, RATE = 600, 128, 2e-3  # of its training by Adam, with the rate falling linearly to zero
FOLDER = "vae_lab_classifiers"
CHECKED = 2000  # validation images that its accuracy is measured on
FEW = 64  # images that go into its name


class Small(nn.Module):
    """Three convolutions, of which the last two halve height and width; each gives a map after its ReLU.

    Example:
        >>> [tuple(map_.shape) for map_ in Small(1)(torch.zeros(2, 1, 8, 8))]
        [(2, 32, 8, 8), (2, 64, 4, 4), (2, 128, 2, 2)]
    """

    def __init__(self, channels: int, classes: int = 1) -> None:
        super().__init__()
        before = (channels, *WIDTHS)
        self.layers = nn.ModuleList(
            nn.Conv2d(before[i], width, 3, stride=1 if i == 0 else 2, padding=1) for i, width in enumerate(WIDTHS)
        )
        self.classes = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.layers:
            x = layer(x).relu()
            maps.append(x)
        return maps

    def logits(self, x: Tensor) -> Tensor:
        """What it says of the classes, (B, K)."""
        answer: Tensor = self.classes(self(x)[-1].mean((2, 3)))
        return answer


def classifier(data: ImageData, seed: int) -> Small:
    """The network that tells the labels of these data, from its file or trained now.

    Raises:
        ArgumentError: when the data have no labels.
    """
    train = data.splits["train"]
    if train.labels is None:
        option = type(data).__name__
        raise ArgumentError("network", "classifier", f"learns the data's labels, and {option} has none; take lite0")
    channels, classes = data.image_shape[0], int(train.labels.max()) + 1
    network = empty(lambda: Small(channels, classes))
    file = file_of(data, seed)
    if file.is_file():
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), assign=True)
        return network
    draw(network, seed)
    fit(network, train, seed)
    log.info("classifier: %.1f %% of the validation labels right; kept as %s", 100 * accuracy(network, data), file)
    keep(network, file)
    return network


def fit(network: Small, split: Split, seed: int) -> None:
    """Train it on a split."""
    assert split.labels is not None
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    size = min(BATCH, len(split.images))
    with torch.enable_grad():
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
            chosen = noise.generator(seed, "classifier", step).integers(len(split.images), size=size)
            batch = split.batch(torch.from_numpy(chosen))
            assert batch.labels is not None
            loss = cross_entropy(network.logits(batch.x), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy(network: Small, data: ImageData) -> float:
    """The part of the first ``CHECKED`` validation images whose label it tells."""
    split = data.splits["val"]
    batch = split.batch(torch.arange(min(CHECKED, len(split.images))))
    assert batch.labels is not None
    with torch.no_grad():
        return float((network.logits(batch.x).argmax(1) == batch.labels).float().mean())


def name_of(data: ImageData, seed: int) -> str:
    """A name that changes with the data, and with how the network is trained."""
    train = data.splits["train"]
    assert train.labels is not None
    first = train.batch(torch.arange(min(FEW, len(train.images)))).x
    told: dict[str, Any] = {
        "kind": type(data).__name__,
        "images": [len(train.images), *data.image_shape, data.binarize],
        "content": [hashlib.sha256(part.numpy().tobytes()).hexdigest() for part in (train.labels, first)],
        "training": [WIDTHS, STEPS, BATCH, RATE, seed],
    }
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def file_of(data: ImageData, seed: int) -> Path:
    """Where it is kept: beside the data, or in the user's cache where they lie nowhere or nothing can be written."""
    place = vars(data).get("root") or vars(data).get("path")
    beside = Path(str(place)).expanduser() if place else None
    if beside is not None and beside.is_file():
        beside = beside.parent
    if beside is None or not os.access(beside, os.W_OK):
        beside = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vae_lab"
    return beside / FOLDER / f"{name_of(data, seed)}.pt"


def keep(network: Small, file: Path) -> None:
    """Write its weights whole; where that is impossible it is trained again the next time."""
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        put_whole(file, content.getvalue())
    except OSError as error:
        log.warning("the classifier cannot be kept: %s", error)
