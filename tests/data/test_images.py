"""Splits, batches, order and binarisation."""

from itertools import chain

import pytest
import torch

from vae_lab.data import Digits, ImageData, Split
from vae_lab.data.images import pixels, random_split


class Numbered(ImageData):
    """Image i is the constant i / 100; 100 training, 10 validation and 10 test images."""

    def load(self):
        images = (torch.arange(120) / 100).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()
        return {"train": Split(images[:100]), "val": Split(images[100:110]), "test": Split(images[110:])}


class Grey(ImageData):
    """200 images of even grey: a pixel is 1 with probability 64/255."""

    def load(self):
        images = torch.full((200, 1, 8, 8), 64, dtype=torch.uint8)
        return {name: Split(images) for name in ("train", "val", "test")}


def numbers(batch):
    return (batch.x[:, 0, 0, 0] * 100).round().int().tolist()


def test_digits_are_split_as_stated():
    splits = Digits().splits
    assert {name: len(split.images) for name, split in splits.items()} == {"train": 1197, "val": 300, "test": 300}
    everything = torch.cat([split.images for split in splits.values()]).flatten(1)
    from sklearn.datasets import load_digits

    expected = torch.from_numpy(load_digits().data / 16).float()
    assert everything.sort(0).values.equal(expected.sort(0).values)
    assert (everything.min(), everything.max()) == (0, 1)


def test_digits_keep_their_labels():
    from sklearn.datasets import load_digits

    digits = load_digits()
    table = {
        tuple(image): label for image, label in zip((digits.data / 16).astype("float32"), digits.target, strict=True)
    }
    split = Digits().splits["val"]
    assert [table[tuple(image.flatten().numpy())] for image in split.images] == split.labels.tolist()


def test_the_split_does_not_depend_on_the_seed():
    assert Digits(seed=0).splits["test"].images.equal(Digits(seed=1).splits["test"].images)


def test_an_epoch_shows_each_image_once_in_a_new_order():
    batches = [numbers(batch) for batch in Numbered(batch_size=20).train_stream(10)]
    first, second = list(chain(*batches[:5])), list(chain(*batches[5:]))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second


def test_the_incomplete_batch_is_dropped():
    batches = list(Numbered(batch_size=30).train_stream(4))
    assert [len(batch.x) for batch in batches] == [30] * 4
    assert len(set(chain(*map(numbers, batches[:3])))) == 90


def test_order_depends_on_seed_and_on_nothing_else():
    one = [numbers(b) for b in Numbered(batch_size=20, seed=1).train_stream(7)]
    torch.rand(3)
    again = [numbers(b) for b in Numbered(batch_size=20, seed=1).train_stream(7)]
    other = [numbers(b) for b in Numbered(batch_size=20, seed=2).train_stream(7)]
    assert one == again
    assert one != other


def test_evaluation_sees_all_images_in_order():
    batches = [numbers(batch) for batch in Numbered(eval_batch_size=4).eval_stream("val")]
    assert batches == [[100, 101, 102, 103], [104, 105, 106], [107, 108, 109]]


def test_the_stream_may_start_anywhere():
    data = Numbered(batch_size=30)
    whole = [numbers(batch) for batch in data.train_stream(8)]
    for start in range(8):
        assert [numbers(batch) for batch in data.train_stream(8, start)] == whole[start:]


def test_a_split_of_a_few_images_is_refused():
    class Few(Numbered):
        def load(self):
            return super().load() | {"val": Split(torch.zeros(3, 1, 2, 2))}

    with pytest.raises(ValueError, match="val: holds 3 images; must be at least 10"):
        Few()


def test_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ValueError, match="batch_size=101: must be at most the training set's 100 images"):
        Numbered(batch_size=101)


def test_uint8_is_scaled_and_float_is_not():
    assert pixels(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    assert pixels(torch.tensor([-3.0, 7.0])).tolist() == [-3, 7]


def test_static_binarisation_is_drawn_once_for_all_runs():
    one, two = Grey(binarize="static", seed=0), Grey(binarize="static", seed=1)
    images = one.splits["train"].images
    assert images.equal(two.splits["train"].images)
    assert set(images.unique().tolist()) == {0, 255}
    assert float(pixels(images).mean()) == pytest.approx(64 / 255, abs=4 * (0.25 / images.numel()) ** 0.5)


def test_dynamic_binarisation_is_fresh_each_epoch_but_not_in_evaluation():
    data = Grey(binarize="dynamic", batch_size=200)
    first, second = (batch.x for batch in data.train_stream(2))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not first.equal(second)
    assert next(data.train_stream(1)).x.equal(first)
    other = Grey(binarize="dynamic", seed=5)
    assert next(data.eval_stream("val")).x.equal(next(other.eval_stream("val")).x)
    assert float(first.mean()) == pytest.approx(64 / 255, abs=0.02)


def test_binarisation_needs_probabilities():
    with pytest.raises(ValueError, match=r"binarize=static: needs pixels in \[0, 1\]"):
        Numbered(binarize="static")


@pytest.mark.parametrize("mode", ["none", "static", "dynamic"])
def test_train_moments_are_those_of_the_training_images(mode):
    data = Grey(binarize=mode)
    mean, variance = data.train_moments()
    seen = (
        torch.cat([batch.x for batch in data.train_stream(100 * data.batches_per_epoch)]) if mode == "dynamic" else None
    )
    images = pixels(data.splits["train"].images) if seen is None else seen
    assert mean.flatten().tolist() == pytest.approx(images.mean(0).flatten().tolist(), abs=0.02)
    assert variance == pytest.approx(float((images - images.mean(0)).square().mean()), abs=2e-3)


def test_random_split_has_no_overlap_and_keeps_labels():
    images = torch.arange(50).float().view(50, 1, 1, 1)
    splits = random_split(Split(images, torch.arange(50)), {"train": 40, "val": 5, "test": 5})
    assert sorted(chain(*(split.labels.tolist() for split in splits.values()))) == list(range(50))
    assert all(split.images.flatten().int().tolist() == split.labels.tolist() for split in splits.values())
