"""What the figures are drawn of: a model, its data, and what was measured. N images, D latent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from vae_lab import noise
from vae_lab.checks import ArgumentError
from vae_lab.data import ImageData
from vae_lab.diagnosis.verdict import is_used
from vae_lab.figures.mosaic import Pictures, as_pictures
from vae_lab.gallery.settings import CLASS, Settings
from vae_lab.latent_space import Posteriors, posteriors, quantile_grid
from vae_lab.metrics import best_factors
from vae_lab.metrics.mig import Match
from vae_lab.models import VAE

LARGEST_SPLIT = 5000  # images of a split that are encoded
PLANE = 2


@dataclass(frozen=True)
class Measured:
    """What a run has measured of each dimension (D,), nats per image; empty where it has not.

    Args:
        gap: the shuffle gap of the dimension alone.
        gap_se: its standard error.
        steps: at which the rates of the validation split were measured, (T,).
        rates: these rates, (T, D).
    """

    gap: list[float] = field(default_factory=list)
    gap_se: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    rates: list[list[float]] = field(default_factory=list)

    def used(self, dim: int) -> bool | None:
        """Whether the decoder uses a dimension; None where that was not measured."""
        return is_used(self.gap[dim], self.gap_se[dim]) if self.gap and self.gap_se else None


@dataclass
class Subject:
    """A trained model in evaluation mode, its data, and how to draw them.

    Args:
        model: the model.
        data: what it was trained on.
        settings: how to draw.
        measured: what the run has measured.
        frames: the folder of the film's frames.
        progress: whether a decoder that reads pixels shows a bar.

    Raises:
        ArgumentError: for settings that do not fit the model or its data.
    """

    model: VAE
    data: ImageData
    settings: Settings = field(default_factory=Settings)
    measured: Measured = field(default_factory=Measured)
    frames: Path | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        self.settings.check(self.model.latent_dim, self.size)
        self.ends = [self.find("from", self.settings.start, "from"), self.find("to", self.settings.stop, "to")]
        through = self.settings.through or ()
        self.through = [self.find("through", words, f"through{i}") for i, words in enumerate(through)]

    @property
    def size(self) -> int:
        """How many images the split has."""
        return len(self.data.splits[self.settings.split].images)

    @cached_property
    def posteriors(self) -> Posteriors:
        """Those of the split, or of its first ``LARGEST_SPLIT`` images.

        Raises:
            ArgumentError: when they are not finite: the model has diverged.
        """
        try:
            found = posteriors(self.model, self.data, self.settings.split, LARGEST_SPLIT)
        except ValueError:  # torch.distributions takes no NaN, unless somebody has switched its checks off
            found = None
        if found is None or not found.rate.isfinite().all():
            problem = "has posteriors that are not finite: it diverged"
            raise ArgumentError("model", type(self.model).__name__, problem)
        return found

    @cached_property
    def dims(self) -> list[int]:
        """The dimensions of manifold and scatter: two, or the only one."""
        return list(self.settings.dims or sorted(self.posteriors.by_use[:PLANE]))

    @cached_property
    def matches(self) -> list[Match]:
        """The factor that each dimension knows most of; empty where the data have no factors."""
        found = self.posteriors
        return [] if found.factors is None else best_factors(found.mean, found.factors)

    def best_factor(self, dim: int) -> str:
        """That factor in words, with the information about it; empty where the data have no factors."""
        if not self.matches:
            return ""
        factor, information, entropy = self.matches[dim]
        names = getattr(self.data, "factor_names", ())
        name = names[factor] if factor < len(names) else f"factor {factor}"
        return f"{name}: MI {information:.2f} of {entropy:.2f}"

    @cached_property
    def base(self) -> Tensor:
        """The latents (D,) of what a figure does not vary: the prior's mean, or a chosen image's posterior mean."""
        if self.settings.at is None:
            return torch.zeros(self.model.latent_dim)
        return self.encode([self.settings.at])[0]

    @property
    def caption(self) -> str:
        """What decoded pictures are."""
        if self.model.autoregressive:
            return "samples of p(x|z), drawn pixel by pixel"
        return "mean images of p(x|z)"

    @property
    def around(self) -> str:
        """Where the dimensions stay that a figure does not vary, in words."""
        if self.model.latent_dim <= PLANE and self.settings.at is None:
            return ""
        return "others at " + ("the prior's mean" if self.settings.at is None else f"image {self.settings.at}")

    def count(self, given: int | None, usual: int, few: int) -> int:
        """A number of pictures: as given, or the usual one, or few where each pixel is drawn by itself."""
        return given or (few if self.model.autoregressive else usual)

    def values(self, count: int) -> Tensor:
        """Latent values by the prior's quantiles, (``count``,)."""
        return quantile_grid(count, self.settings.mass)

    def images(self, indices: list[int]) -> Tensor:
        """The images (N, C, H, W) with these indices in the split."""
        return self.data.batch(self.settings.split, torch.tensor(indices)).x

    def encode(self, indices: list[int]) -> Tensor:
        """Their posterior means (N, D)."""
        with torch.no_grad():
            return self.model.encode(self.images(indices).to(self.model.device)).mean.float().cpu()

    def inputs(self, indices: list[int]) -> Pictures:
        """The images with these indices as pictures (N, H, W, 3)."""
        return self.pictures(self.images(indices))

    def decode(self, z: Tensor) -> Pictures:
        """Decode z (..., D) to pictures (..., H, W, 3)."""
        parts = z.flatten(0, -2).split(self.data.eval_batch_size)
        with torch.no_grad():
            images = [
                self.model.decode(part.to(self.model.device), self.settings.seed, self.progress).float().cpu()
                for part in parts
            ]
        pictures = self.pictures(torch.cat(images))
        return pictures.reshape(*z.shape[:-1], *pictures.shape[1:])

    def pictures(self, images: Tensor) -> Pictures:
        """Images (N, C, H, W) as pictures (N, H, W, 3), in the range of the data."""
        return as_pictures(images.float().cpu().numpy(), self.data.value_range)

    def some(self, count: int, purpose: str = "figures") -> list[int]:
        """Indices of at most ``count`` random images of the split, the same each time."""
        chosen: list[int] = noise.permutation(self.size, seed=self.settings.seed, purpose=purpose)[:count].tolist()
        return chosen

    def find(self, name: str, words: str, purpose: str) -> int:
        """The index of the image that a person means: an index, ``class:3`` or ``random``.

        Args:
            name: of the option.
            words: what was given.
            purpose: of the random choice.

        Raises:
            ArgumentError: when there is no such image.
        """
        order = self.some(self.size, purpose)
        if words == "random":
            return order[0]
        if words.isdecimal() and int(words) < self.size:
            return int(words)
        labels = self.data.splits[self.settings.split].labels
        if words.startswith(CLASS) and labels is None:
            raise ArgumentError(name, words, "the data have no labels; give an index or random")
        if words.startswith(CLASS) and labels is not None:
            return self.of_class(name, words, order, labels)
        allowed = f"must be an image of the split ({self.settings.split}), 0 to {self.size - 1}, class:LABEL or random"
        raise ArgumentError(name, words, allowed)

    def of_class(self, name: str, words: str, order: list[int], labels: Tensor) -> int:
        """The first image in ``order`` with the label that ``words`` ends with.

        Raises:
            ArgumentError: when there is none.
        """
        found = next((i for i in order if str(int(labels[i])) == words.removeprefix(CLASS)), None)
        if found is not None:
            return found
        known = sorted({int(label) for label in labels})
        shown = ", ".join(map(str, known[:10])) + (", ..." if len(known) > 10 else "")
        raise ArgumentError(name, words, f"no image has that label; labels: {shown}")


def by_dimension(figures: Mapping[str, object], name: str) -> list[float]:
    """A figure of each dimension among those of a run by name; empty where there is none."""
    values = figures.get(name)
    return [math.nan if value is None else float(value) for value in values] if isinstance(values, list) else []


def columns(count: int) -> int:
    """The columns of a grid for ``count`` pictures that is about square.

    Example:
        >>> columns(16), columns(20)
        (4, 5)
    """
    return math.ceil(math.sqrt(count))
