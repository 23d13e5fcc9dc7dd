"""The features' networks by the name that ``perceptual.network`` gives."""

from collections.abc import Callable
from dataclasses import dataclass

from vae_lab.checks import ArgumentError
from vae_lab.data import ImageData
from vae_lab.perceptual import lite0, vgg16
from vae_lab.perceptual.classifier import Small, classifier
from vae_lab.perceptual.features import Features
from vae_lab.perceptual.frozen import draw, empty

RGB = 3


@dataclass(frozen=True)
class Wanted:
    """Which features.

    Args:
        size: images are resized to that length of their shorter side; None leaves them as they are.
        trained: take trained weights; else they are drawn from the seed.
        seed: of drawn weights, and of a training.
        weights: the file of ``vgg16``; None looks in torch.hub's cache.
    """

    size: int | None = None
    trained: bool = True
    seed: int = 0
    weights: str | None = None


def lite0_features(wanted: Wanted, data: ImageData | None = None, taps: tuple[int, ...] = lite0.TAPS) -> Features:
    """Those of EfficientNet-Lite0 after some of its blocks.

    Raises:
        ValueError: when the package of its weights is not installed.
    """
    network = empty(lambda: lite0.Lite0(taps))
    if wanted.trained:
        lite0.load_weights(network)
    else:
        draw(network, wanted.seed)
    return Features(network, RGB, wanted.size, (lite0.MEAN,), (lite0.STDDEV,))


def vgg16_features(wanted: Wanted, data: ImageData | None = None) -> Features:
    """Those of VGG16, whose weights lie in a file.

    Raises:
        ArgumentError: when there is no such file.
    """
    network = empty(vgg16.VGG16)
    if wanted.trained:
        vgg16.load_weights(network, wanted.weights)
    else:
        draw(network, wanted.seed)
    return Features(network, RGB, wanted.size, vgg16.MEAN, vgg16.STDDEV)


def classifier_features(wanted: Wanted, data: ImageData) -> Features:
    """Those of a small network that was trained on the data's labels, or not at all.

    Raises:
        ArgumentError: when it is to be trained and the data have no labels.
    """
    channels = data.image_shape[0]
    if wanted.trained:
        return Features(classifier(data, wanted.seed), channels, wanted.size)
    network = empty(lambda: Small(channels))
    draw(network, wanted.seed)
    return Features(network, channels, wanted.size)


NETWORKS: dict[str, Callable[[Wanted, ImageData], Features]] = {
    "lite0": lite0_features,
    "vgg16": vgg16_features,
    "classifier": classifier_features,
}


def features_for(network: str, wanted: Wanted, data: ImageData) -> Features:
    """The features of a network for these data.

    Raises:
        ArgumentError: when the data are not of the kind that it takes.
    """
    low, high = data.value_range
    if low < 0 or high > 1:
        raise ArgumentError("network", network, f"needs pixels in [0, 1], the data reach from {low:g} to {high:g}")
    features = NETWORKS[network](wanted, data)
    if data.image_shape[0] not in (1, features.channels):
        allowed = f"takes images of 1 or {features.channels} channels, these have {data.image_shape[0]}"
        raise ArgumentError("network", network, allowed)
    return features
