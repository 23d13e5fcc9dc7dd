"""Images batched by index; order and binarisation are functions of (seed, step).

Shapes: N images of a split, B batch; images are (N, C, H, W): uint8 (0..255, read as [0, 1]), bool or floats, in memory
or on disk. Batches are float32.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from typing_extensions import override

from vae_lab import checks, noise
from vae_lab.checks import ArgumentError, choice, integer
from vae_lab.collective import rows
from vae_lab.data.batch import Batch
from vae_lab.data.rows import Images, Rows, chunks

FEWEST = 10  # images in a split
LARGEST = float(torch.finfo(torch.float32).max)
SPLIT_SEED = 0  # splits and static binarisation are part of the data set: they do not follow the run's seed


class Split(NamedTuple):
    """A split's images, and what is known of each.

    Example:
        >>> split = Split(torch.rand(10, 1, 8, 8), labels=torch.arange(10))
        >>> split.batch(torch.tensor([7, 2])).labels
        tensor([7, 2])
    """

    images: Images  # (N, C, H, W)
    labels: Tensor | None = None  # (N,), int64
    factors: Tensor | None = None  # (N, F), int64: the values of the factors of variation

    def part(self, indices: Tensor) -> "Split":
        """A split of the images with these indices (N,), in that order; what is on disk stays there."""
        images: Images = self.images
        images = images.part(indices) if isinstance(images, Rows) else images.index_select(0, indices)
        return Split(images, *self.known(indices))

    def batch(self, indices: Tensor) -> Batch:
        """The images with these indices (B,), in that order, as float32."""
        return Batch(pixels(self.images.index_select(0, indices)), indices, *self.known(indices))

    def known(self, indices: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Labels and factors of the images with these indices."""
        labels, factors = (None if part is None else part[indices] for part in (self.labels, self.factors))
        return labels, factors


def pixels(images: Tensor) -> Tensor:
    """Images as float32: uint8 is scaled from 0..255 to [0, 1].

    Example:
        >>> pixels(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([0.0000, 0.2000, 1.0000])
    """
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float()


def range_of(splits: Mapping[str, Split]) -> tuple[float, float]:
    """The least and the largest pixel of all splits; of uint8 and bool what they can be at least and at most."""
    whole = any(split.images.dtype in (torch.uint8, torch.bool) for split in splits.values())
    ends = [(0.0, 1.0)] if whole else []
    for split in splits.values():
        if split.images.dtype.is_floating_point:
            ends += [(float(x.min()), float(x.max())) for x in map(pixels, chunks(split.images))]
    return min(low for low, _ in ends), max(high for _, high in ends)


def random_split(whole: Split, sizes: dict[str, int]) -> dict[str, Split]:
    """Cut a fixed random permutation into splits of the given sizes; the same for every run and seed."""
    order = noise.permutation(len(whole.images), seed=SPLIT_SEED, purpose="split")
    parts = zip(sizes, order.split(list(sizes.values())), strict=True)
    return {name: whole.part(part) for name, part in parts}


def tenths(n: int, path: Path, held_out: Iterable[str] = ("val", "test")) -> dict[str, int]:
    """Sizes of the splits that ``n`` images are cut into: a tenth, at least ``FEWEST``, for each that is ``held_out``.

    Raises:
        ArgumentError: when that leaves fewer than ``FEWEST`` for ``train``; ``path`` is where they come from.

    Example:
        >>> tenths(150, Path("digits.npz"))
        {'train': 120, 'val': 15, 'test': 15}
    """
    sizes = dict.fromkeys(held_out, max(n // 10, FEWEST))
    left, fewest = n - sum(sizes.values()), FEWEST * (len(sizes) + 1)
    if left < FEWEST:
        parts = ", ".join(["train", *sizes])
        raise ArgumentError("path", path, f"holds {n} images; must be at least {fewest} to be cut into {parts}")
    return {"train": left, **sizes}


class ImageData(LightningDataModule):
    """Base of all data modules: a subclass says how to ``load`` its splits.

    Args:
        batch_size: images per training step, of all processes together; the last, incomplete batch of an epoch is
            dropped.
        eval_batch_size: images per step of evaluation, likewise, where nothing is dropped.
        binarize: ``none``; ``static``, drawn once for every run; ``dynamic``, training images are drawn afresh in each
            epoch (Salakhutdinov & Murray 2008), validation and test images once.
        flip: mirror each training image, left for right, with probability ½ in each step.
        seed: order, dynamic binarisation and flips derive from it.

    Raises:
        ValueError: for bad arguments, for a batch larger than the training set, for binarisation of pixels outside
            [0, 1], and whatever ``load`` raises.
    """

    modes: ClassVar = ("none", "static", "dynamic")

    def __init__(
        self,
        batch_size: int = 64,
        eval_batch_size: int = 500,
        binarize: str = "none",
        flip: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.flip = checks.flag("flip", flip)
        self.batch_size = integer("batch_size", batch_size)
        self.eval_batch_size = integer("eval_batch_size", eval_batch_size)
        self.binarize = choice("binarize", binarize, self.modes)
        self.seed = seed
        self.splits = self.load()
        for name, split in self.splits.items():
            if len(split.images) < FEWEST:
                raise ValueError(f"{name}: holds {len(split.images)} images; must be at least {FEWEST} to say anything")
        train = self.splits["train"].images
        if batch_size > len(train):
            raise ArgumentError("batch_size", batch_size, f"must be at most the training set's {len(train)} images")
        low, high = range_of(self.splits)
        if max(-low, high) > LARGEST:
            raise ValueError(f"pixels reach from {low:g} to {high:g}; must lie within ±{LARGEST:.2g}, as float32 does")
        if binarize != "none" and (low < 0 or high > 1):
            raise ArgumentError(
                "binarize", binarize, f"needs pixels in [0, 1], the data reach from {low:g} to {high:g}"
            )
        fixed = self.splits if binarize == "static" else self.splits.keys() - {"train"} if binarize == "dynamic" else ()
        self.splits |= {name: self.binarized(name) for name in fixed}

    def load(self) -> dict[str, Split]:
        """Return the splits ``train``, ``val`` and ``test``."""
        raise NotImplementedError

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.splits["train"].images.shape[1:]
        return channels, height, width

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """The least and the largest pixel of all splits."""
        return range_of(self.splits)

    @property
    def batches_per_epoch(self) -> int:
        """Training steps in one epoch."""
        return len(self.splits["train"].images) // self.batch_size

    def binarized(self, name: str) -> Split:
        """The split with each pixel drawn once, as uint8 0 or 255, in memory."""
        split, draws = self.splits[name], noise.generator(SPLIT_SEED, f"binarize/{name}")
        drawn = torch.empty(tuple(split.images.shape), dtype=torch.uint8)
        done = 0
        for images in chunks(split.images):
            threshold = torch.from_numpy(draws.random(tuple(images.shape), dtype=np.float32))
            drawn[done : done + len(images)] = (pixels(images) > threshold).byte() * 255
            done += len(images)
        return split._replace(images=drawn)

    def train_moments(self) -> tuple[Tensor, float]:
        """The mean image (C, H, W) of the training set, and the mean squared error per pixel of that one image."""
        total = torch.zeros(self.image_shape, dtype=torch.float64)
        squares = torch.zeros_like(total)
        images = self.splits["train"].images
        for chunk in chunks(images):
            x = pixels(chunk).double()
            total += x.sum(0)
            squares += (x if self.binarize == "dynamic" else x.square()).sum(0)  # E[b²] = E[b] of a binary pixel
        mean = total / len(images)
        return mean.float(), float((squares / len(images) - mean.square()).mean())

    def training_sample(self, limit: int = 10_000) -> Tensor:
        """At most ``limit`` training images (N, C, H, W) as the model sees them, the same for every run."""
        train = self.splits["train"]
        chosen = noise.permutation(len(train.images), seed=SPLIT_SEED, purpose="sample")[:limit]
        x = train.batch(chosen).x
        return (x > self.thresholds(len(x), SPLIT_SEED, 0)).float() if self.binarize == "dynamic" else x

    # batches

    @override
    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def batch(self, name: str, indices: Tensor) -> Batch:
        """The images of a split with these indices (B,)."""
        return self.splits[name].batch(indices)

    def thresholds(self, count: int, seed: int, step: int) -> Tensor:
        """What the pixels of a batch of ``count`` must exceed to be drawn as 1, their value as probability."""
        return noise.uniform((count, *self.image_shape), seed=seed, purpose="binarize", index=step)

    def mirrored(self, step: int) -> Tensor:
        """Which images of a step's batch are mirrored: (B, 1, 1, 1), bool."""
        draws = noise.uniform((self.batch_size, 1, 1, 1), seed=self.seed, purpose="flip", index=step)
        return draws < 0.5

    def train_batch(self, step: int, order: Tensor, rank: int = 0, ranks: int = 1) -> Batch:
        """A rank's part of the training batch of optimizer step ``step``, given its epoch's ``order``."""
        mine = rows(self.batch_size, rank, ranks)
        batch = self.batch("train", self.train_indices(step, order)[mine])
        if self.flip:
            batch = batch._replace(x=torch.where(self.mirrored(step)[mine], batch.x.flip(-1), batch.x))
        if self.binarize != "dynamic":
            return batch
        threshold = self.thresholds(self.batch_size, self.seed, step)[mine]
        return batch._replace(x=(batch.x > threshold).float())

    def train_indices(self, step: int, order: Tensor) -> Tensor:
        """The indices (B,) of the images of a training batch, given its epoch's ``order``."""
        start = step % self.batches_per_epoch * self.batch_size
        return order[start : start + self.batch_size]

    def epoch_order(self, epoch: int) -> Tensor:
        """The order (N,) of the training images in an epoch."""
        return noise.permutation(len(self.splits["train"].images), seed=self.seed, purpose="order", index=epoch)

    def train_stream(self, stop: int, start: int = 0, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
        """A rank's parts of the training batches of steps ``start`` to ``stop``; each epoch has its own order."""
        order = self.epoch_order(start // self.batches_per_epoch)
        for step in range(start, stop):
            if step % self.batches_per_epoch == 0:
                order = self.epoch_order(step // self.batches_per_epoch)
            yield self.train_batch(step, order, rank, ranks)

    def eval_stream(self, name: str, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
        """All images of a split, in order, in nearly equal batches of at most ``eval_batch_size``; a rank's parts."""
        for indices in self.eval_cuts(name):
            yield self.batch(name, indices[rows(len(indices), rank, ranks)])

    def eval_cuts(self, name: str) -> tuple[Tensor, ...]:
        """The indices of each batch of a split."""
        size = len(self.splits[name].images)
        return torch.arange(size).tensor_split(math.ceil(size / self.eval_batch_size))

    @property
    def smallest_eval_batch(self) -> int:
        """How many images the smallest batch of evaluation has."""
        return min(len(indices) for name in ("val", "test") for indices in self.eval_cuts(name))

    def train_dataloader(self) -> "Batches":
        assert self.trainer is not None  # a run that goes on begins with the batch of its next step
        return Batches(partial(self.train_stream, self.trainer.max_steps, self.trainer.global_step, **self.part))

    def val_dataloader(self) -> "Batches":
        return Batches(partial(self.eval_stream, "val", **self.part))

    def test_dataloader(self) -> "Batches":
        return Batches(partial(self.eval_stream, "test", **self.part))

    @property
    def part(self) -> dict[str, int]:
        """Which part of each batch the trainer's process takes."""
        trainer = self.trainer
        return {"rank": trainer.global_rank, "ranks": trainer.world_size} if trainer else {}


@dataclass(frozen=True)
class Batches:
    """An iterable that starts anew each time. Training is one single pass: no epoch boundary costs time."""

    start: Callable[[], Iterator[Batch]]

    def __iter__(self) -> Iterator[Batch]:
        return self.start()
