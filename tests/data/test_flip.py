"""Mirrored training images: a function of (seed, step), the same for any number of processes."""

import pytest
import torch

from vae_lab.data import Digits, ImageData, Split


class Wedge(ImageData):
    """Image i has i + 1 in its left column."""

    def load(self):
        images = torch.zeros(40, 1, 2, 3)
        images[..., 0] = torch.arange(1.0, 41).view(40, 1, 1)
        return dict.fromkeys(("train", "val", "test"), Split(images, torch.arange(40)))


def mirrored(batch):
    return batch.x[:, 0, 0, 2] > 0


def test_half_of_the_images_are_mirrored_and_keep_what_is_known_of_them():
    data = Wedge(batch_size=40, flip=True)
    batches = list(data.train_stream(50))
    share = torch.stack([mirrored(batch) for batch in batches]).double().mean()
    assert share.item() == pytest.approx(0.5, abs=4 * 0.5 / 2000**0.5)
    for batch in batches[:3]:
        assert batch.x.amax((1, 2, 3)).equal(batch.labels + 1.0)


def test_the_flips_are_a_function_of_seed_and_step():
    def flips(seed=0, start=0):
        return [mirrored(batch) for batch in Wedge(batch_size=20, flip=True, seed=seed).train_stream(6, start)]

    assert all(a.equal(b) for a, b in zip(flips(), flips(), strict=True))
    assert all(a.equal(b) for a, b in zip(flips()[4:], flips(start=4), strict=True))
    assert not all(a.equal(b) for a, b in zip(flips(), flips(seed=1), strict=True))
    assert not flips()[0].equal(flips()[2])


def test_processes_take_their_rows_of_one_batch():
    data = Wedge(batch_size=10, flip=True)
    whole = next(data.train_stream(1)).x
    parts = [next(data.train_stream(1, rank=rank, ranks=3)).x for rank in range(3)]
    assert torch.cat(parts).equal(whole)


def test_evaluation_and_the_usual_training_are_not_mirrored():
    assert not mirrored(next(Wedge(flip=True, batch_size=20).eval_stream("val"))).any()
    assert not mirrored(next(Wedge(batch_size=20).train_stream(1))).any()


def test_a_mirrored_image_is_binarised_as_it_stands():
    data = Digits(flip=True, binarize="dynamic", batch_size=1000)
    x = next(data.train_stream(1)).x
    assert set(x.unique().tolist()) == {0.0, 1.0}
    plain = next(Digits(binarize="dynamic", batch_size=1000).train_stream(1)).x
    assert not x.equal(plain)


@pytest.mark.parametrize("word", ["on", 1])
def test_flip_is_true_or_false(word):
    with pytest.raises(ValueError, match=f"^flip={word}: must be true or false"):
        Wedge(flip=word, batch_size=20)
