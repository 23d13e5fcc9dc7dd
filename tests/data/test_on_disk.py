"""Arrays on disk: the figures of those in memory, and no more memory than a batch needs."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from vae_lab.data import Npz
from vae_lab.data.rows import Rows

RNG = np.random.default_rng(0)
ARRAYS = {
    "uint8": RNG.integers(0, 256, (200, 6, 5), dtype=np.uint8),
    "colour": RNG.integers(0, 256, (200, 6, 5, 3), dtype=np.uint8),
    "bool": RNG.random((200, 6, 5)) < 0.5,
    "float64": RNG.normal(size=(200, 6, 5)),
}
KNOWN = {"labels": np.arange(200) % 10, "factors": np.stack([np.arange(200), -np.arange(200)], 1)}


def both(tmp_path, images, known=KNOWN, **options):
    """The same arrays from an .npz file and from a folder of .npy files."""
    np.savez(tmp_path / "all.npz", images=images, **known)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, array in {"images": images, **known}.items():
        np.save(folder / f"{name}.npy", array)
    return Npz(tmp_path / "all.npz", batch_size=20, **options), Npz(folder, batch_size=20, **options)


def equal(one, other):
    assert [part is None for part in one] == [part is None for part in other]
    return all(a.equal(b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True) if a is not None)


@pytest.mark.parametrize("small_chunks", [False, True])
@pytest.mark.parametrize("binarize", ["none", "static", "dynamic"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_on_disk_give_what_those_in_memory_give(kind, binarize, small_chunks, tmp_path, monkeypatch):
    if small_chunks:
        monkeypatch.setattr("vae_lab.data.rows.CHUNK", 700)
    if kind == "float64" and binarize != "none":
        pytest.skip("its pixels are no probabilities")
    memory, disk = both(tmp_path, ARRAYS[kind], binarize=binarize)
    assert isinstance(disk.splits["train"].images, Rows) == (binarize != "static")
    assert disk.image_shape == memory.image_shape
    assert disk.value_range == memory.value_range
    for name in ("train", "val", "test"):
        assert all(equal(*pair) for pair in zip(memory.eval_stream(name), disk.eval_stream(name), strict=True))
    assert all(equal(*pair) for pair in zip(memory.train_stream(12), disk.train_stream(12), strict=True))
    assert disk.training_sample(50).equal(memory.training_sample(50))
    (mean, variance), (other_mean, other_variance) = memory.train_moments(), disk.train_moments()
    assert mean.equal(other_mean)
    assert variance == other_variance


def test_binarised_images_do_not_depend_on_how_many_are_read_at_a_time(tmp_path, monkeypatch):
    images = RNG.integers(0, 256, (100, 5, 3), dtype=np.uint8)  # an odd number of pixels
    np.savez(tmp_path / "a.npz", images=images)
    whole = Npz(tmp_path / "a.npz", batch_size=2, binarize="static").splits["train"].images
    monkeypatch.setattr("vae_lab.data.rows.CHUNK", 7 * 15)
    assert Npz(tmp_path / "a.npz", batch_size=2, binarize="static").splits["train"].images.equal(whole)


def test_splits_share_one_map(tmp_path):
    _, disk = both(tmp_path, ARRAYS["uint8"])
    images = [disk.splits[name].images for name in ("train", "val", "test")]
    assert {part.whole.data_ptr() for part in images} == {images[0].whole.data_ptr()}
    assert sorted(torch.cat([part.order for part in images]).tolist()) == list(range(200))


def test_one_file_of_images(tmp_path):
    np.save(tmp_path / "pictures.npy", ARRAYS["uint8"])
    data = Npz(tmp_path / "pictures.npy", batch_size=2)
    assert [len(data.splits[name].images) for name in ("train", "val", "test")] == [160, 20, 20]
    assert data.splits["train"].factors is None


def test_splits_of_their_own_with_labels_and_factors(tmp_path):
    for name, first, last in (("train", 0, 120), ("test", 120, 200)):
        np.save(tmp_path / f"x_{name}.npy", ARRAYS["uint8"][first:last])
        np.save(tmp_path / f"y_{name}.npy", KNOWN["labels"][first:last])
        np.save(tmp_path / f"factors_{name}.npy", KNOWN["factors"][first:last])
    data = Npz(tmp_path, batch_size=2)
    assert {name: len(split.images) for name, split in data.splits.items()} == {"train": 108, "val": 12, "test": 80}
    for name in ("train", "val", "test"):
        for batch in data.eval_stream(name):
            rows = batch.factors[:, 0]
            assert batch.factors[:, 1].equal(-rows)
            assert batch.labels.equal(rows % 10)
            assert (batch.x[:, 0] * 255).round().byte().numpy().tolist() == ARRAYS["uint8"][rows].tolist()
    assert data.splits["test"].factors[0].tolist() == [120, -120]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("factors", np.zeros((200, 2)), r"factors is float64 \(200, 2\); must be whole numbers \(200, F\)"),
        ("factors", np.zeros(200, int), r"factors is int64 \(200,\); must be whole numbers \(200, F\)"),
        ("factors", np.zeros((199, 2), int), r"factors is int64 \(199, 2\); must be whole numbers \(200, F\)"),
        ("labels", np.zeros((200, 1), int), r"labels is int64 \(200, 1\); must be whole numbers \(200,\)"),
        ("images", np.full((200, 4, 4), np.nan), "images holds NaN or infinite values in 200 images"),
        ("images", np.zeros((200, 4)), r"images has shape \(200, 4\); must be \(N,H,W\) or \(N,H,W,C\)"),
        ("images", np.zeros((200, 4, 4), object), r"is no readable \.npy file"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(name, array, message, tmp_path):
    for key, good in {"images": ARRAYS["uint8"], name: array}.items():
        np.save(tmp_path / f"{key}.npy", array if key == name else good)
    with pytest.raises(ValueError, match=rf"^path=.*: {message}"):
        Npz(tmp_path)


def test_a_truncated_file_is_refused(tmp_path):
    np.save(tmp_path / "images.npy", ARRAYS["uint8"])
    whole = (tmp_path / "images.npy").read_bytes()
    (tmp_path / "images.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"images\.npy: is no readable \.npy file"):
        Npz(tmp_path)


@pytest.mark.parametrize("content", [[], ["other"]])
def test_a_folder_without_images_says_what_it_holds(content, tmp_path):
    for name in content:
        np.save(tmp_path / f"{name}.npy", ARRAYS["uint8"])
    with pytest.raises(ValueError, match=f"holds {content[0] if content else 'nothing'}; needs images under one of"):
        Npz(tmp_path)


def test_files_that_change_are_read_anew(tmp_path):
    np.save(tmp_path / "images.npy", ARRAYS["uint8"])
    assert len(Npz(tmp_path, batch_size=2).splits["train"].images) == 160
    np.save(tmp_path / "images.npy", ARRAYS["uint8"][:100])
    assert len(Npz(tmp_path, batch_size=2).splits["train"].images) == 80


MEMORY = """
import resource, sys, torch
from vae_lab.data import Npz

torch.set_num_threads(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
torch.rand(100, 64, 64).flatten(1).sum()  # what torch itself takes
before = peak()
data = Npz(sys.argv[1], batch_size=50, eval_batch_size=100)
seen = sum(len(batch.x) for batch in data.train_stream(4))
seen += len(next(data.eval_stream("test")).x) + len(data.training_sample(100))
print(peak() - before, seen)
"""


@pytest.mark.parametrize("shape", [(75_000, 64, 64), (25_000, 64, 64, 3)], ids=["grey", "colour"])
def test_memory_does_not_grow_by_the_size_of_the_file(shape, tmp_path):
    """300 MB on disk, 1.2 GB as float32; in a process of its own, whose peak nothing else raises."""
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, shape)  # sparse: it takes no place on disk
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    grown, seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(seen) == 50 * 4 + 100 + 100
    assert float(grown) < 80  # MB: 400 images, each with the 64 kB around it that the system reads
