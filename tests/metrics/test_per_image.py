"""PerImage: what is kept goes by the image's index, and a part of a split lies evenly over it."""

import pytest
import torch
from torch import Tensor

from vae_lab.metrics import PerImage
from vae_lab.metrics.per_image import spread


class Kept(PerImage):
    """Gives back what it kept."""

    def __init__(self, images=None):
        super().__init__("squares", images=images)

    def update(self, indices: Tensor) -> None:
        self.keep(indices, indices.float().square())

    def compute(self):
        return self.kept()[0].sqrt().long()


def kept(batches, images=None):
    metric = Kept(images)
    for batch in batches:
        metric.update(batch)
    return metric.compute()


def test_everything_is_kept_in_the_order_of_the_indices():
    shuffled = torch.randperm(103, generator=torch.Generator().manual_seed(0))
    assert kept(shuffled.split(10)).tolist() == list(range(103))


@pytest.mark.parametrize("images", [2, 50, 400])
def test_the_part_depends_on_neither_the_size_nor_the_order_of_batches(images):
    split = torch.arange(1000)
    whole = kept([split], images)
    assert len(whole) == images
    shuffled = torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    for batches in (split.split(7), split.split(300), split.flip(0).split(13), shuffled.split(64)):
        assert kept(batches, images).equal(whole)


def test_a_split_that_is_smaller_than_the_part_is_kept_whole():
    assert kept(torch.arange(30).split(7), 50).tolist() == list(range(30))


@pytest.mark.parametrize(("n", "images"), [(10_000, 1000), (10_000, 500), (1797, 100), (1_000_000, 1000)])
@pytest.mark.parametrize("classes", [2, 10])
def test_each_class_of_a_sorted_split_has_its_share(n, images, classes):
    """The images of a class lie together, or take turns: a tenth of the part comes from each tenth of the split."""
    part = spread(torch.arange(n)).argsort()[:images]
    for labels in (torch.arange(n) * classes // n, torch.arange(n) % classes):
        shares = labels[part].bincount(minlength=classes)
        assert (shares - images / classes).abs().max() <= 4


def test_memory_is_bounded_by_the_part():
    metric = Kept(images=50)
    for batch in torch.arange(100_000).split(100):
        metric.update(batch)
        assert sum(map(len, metric.squares)) <= 2 * 50 + 100


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="images=1: must be a whole number >= 2"):
        Kept(images=1)
