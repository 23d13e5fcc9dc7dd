"""Where images come from: torchvision's sets, .npz files, folders."""

import hashlib
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lab.data import (
    CIFAR10,
    MNIST,
    FashionMNIST,
    ImageData,
    ImageFolder,
    Npz,
    Split,
    binarized_mnist,
    gaussian,
    image_folder,
    torchvision_sets,
)
from vae_lab.data import npz as npz_module


@pytest.mark.parametrize(("cls", "labels"), [(MNIST, [7, 2, 1]), (FashionMNIST, [9, 2, 1])])
def test_real_mnist_unpacks_without_a_network(cls, labels, data_root):
    splits = cls(root=str(data_root)).splits
    assert {n: tuple(s.images.shape) for n, s in splits.items()} == {
        "train": (50_000, 1, 28, 28),
        "val": (10_000, 1, 28, 28),
        "test": (10_000, 1, 28, 28),
    }
    assert splits["test"].labels[:3].tolist() == labels
    assert splits["train"].images.dtype == torch.uint8
    assert int(splits["train"].images.max()) == 255


def test_truncated_mnist_says_what_to_do(tmp_path, data_root, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_root / "MNIST" / "raw").glob("*.gz"):
        (raw / file.name).write_bytes(file.read_bytes()[:1000])

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", no_network)
    with pytest.raises(ValueError, match=r"root=.*MNIST is not there whole and cannot be downloaded .*\.gz files"):
        MNIST(root=str(tmp_path))


def test_cifar10_in_its_own_format(tmp_path, monkeypatch):
    """A small archive of the real layout; the checksums that torchvision expects are replaced by its own."""
    from torchvision.datasets import CIFAR10 as Original

    folder = tmp_path / Original.base_folder
    folder.mkdir()
    rng = np.random.default_rng(0)

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    first = rng.integers(0, 256, (1200, 3072), dtype=np.uint8)
    batches = [write(f"data_batch_{i}", {"data": first, "labels": [i] * 1200}) for i in range(1, 6)]
    test = [write("test_batch", {"data": first[:20], "labels": [3] * 20})]
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    with tarfile.open(tmp_path / Original.filename, "w:gz") as archive:
        archive.add(folder, Original.base_folder)
    monkeypatch.setattr(Original, "train_list", batches)
    monkeypatch.setattr(Original, "test_list", test)
    monkeypatch.setattr(Original, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    monkeypatch.setattr(Original, "tgz_md5", hashlib.md5((tmp_path / Original.filename).read_bytes()).hexdigest())
    splits = CIFAR10(root=str(tmp_path)).splits
    assert tuple(splits["train"].images.shape) == (1000, 3, 32, 32)
    assert tuple(splits["val"].images.shape) == (5000, 3, 32, 32)
    assert splits["test"].images[0].flatten().tolist() == first[0].tolist()
    assert splits["val"].labels[-1] == 5


def npz(path, **arrays):
    np.savez(path, **arrays)
    return Npz(str(path), batch_size=2)


def test_npz_with_one_array_is_cut_into_tenths(tmp_path):
    images = np.arange(100, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 6), np.uint8)
    splits = npz(tmp_path / "a.npz", images=images, labels=np.arange(100)).splits
    assert [len(splits[name].images) for name in ("train", "val", "test")] == [80, 10, 10]
    for split in splits.values():
        assert split.images[:, 0, 0, 0].tolist() == split.labels.tolist()


def test_npz_splits_and_channels(tmp_path):
    rng = np.random.default_rng(0)
    train, test = rng.random((40, 4, 6, 3)).astype(np.float64), rng.random((11, 4, 6, 3))
    splits = npz(tmp_path / "a.npz", x_train=train, y_train=np.arange(40), x_test=test).splits
    assert [len(splits[name].images) for name in ("train", "val", "test")] == [30, 10, 11]
    assert splits["test"].images.dtype == torch.float32
    np.testing.assert_array_equal(splits["test"].images.permute(0, 2, 3, 1).numpy(), test.astype(np.float32))
    kept = torch.cat([splits["train"].labels, splits["val"].labels])
    assert sorted(kept.tolist()) == list(range(40))
    first = int(splits["train"].labels[0])
    np.testing.assert_array_equal(splits["train"].images[0].permute(1, 2, 0).numpy(), train[first].astype(np.float32))


def test_npz_bool_is_black_and_white(tmp_path):
    images = np.zeros((30, 4, 4), bool)
    images[:, 0] = True
    splits = npz(tmp_path / "a.npz", images=images).splits
    assert splits["train"].images[0, 0].float().mean(1).tolist() == [255, 0, 0, 0]


def test_npz_is_read_anew_when_the_file_changes(tmp_path):
    npz(tmp_path / "a.npz", images=np.zeros((30, 4, 4), np.uint8))
    assert npz(tmp_path / "a.npz", images=np.ones((40, 4, 4), np.uint8)).splits["train"].images.shape[0] == 20


def test_the_shared_colour_subset_loads(data_root):
    from pathlib import Path

    file = Path(os.environ["VAE_LAB_TEST_DATA"]) / "cifar10_subset" / "cifar10_subset_8k_2k.npz"
    if not file.is_file():
        pytest.skip(f"{file} is missing")
    splits = Npz(str(file)).splits
    assert tuple(splits["test"].images.shape) == (2000, 3, 32, 32)
    assert splits["train"].images.dtype == torch.uint8
    assert len(splits["train"].images) + len(splits["val"].images) == 8000


def pictures(folder, colour, count=10, size=(10, 8)):
    folder.mkdir(parents=True)
    for i in range(count):
        Image.new("RGB", size, colour).save(folder / f"{i}.png")


def test_folder_with_classes(tmp_path):
    pictures(tmp_path / "red", (255, 0, 0), 20)
    pictures(tmp_path / "blue", (0, 0, 255), 20)
    data = ImageFolder(str(tmp_path), size=8, batch_size=4)
    assert data.image_shape == (3, 8, 8)
    for split in data.splits.values():
        for image, label in zip(split.images, split.labels, strict=True):
            assert image[:, 0, 0].tolist() == ([0, 0, 255] if label == 0 else [255, 0, 0])


def test_folder_with_splits_and_grey(tmp_path):
    for name, count in (("train", 12), ("val", 10), ("test", 11)):
        pictures(tmp_path / name, (255, 255, 255), count)
    data = ImageFolder(str(tmp_path), size=4, grey=True, batch_size=2)
    assert data.image_shape == (1, 4, 4)
    assert [len(data.splits[name].images) for name in ("train", "val", "test")] == [12, 10, 11]
    assert data.splits["train"].labels is None


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040  # up to 65,520
    for i, name in enumerate(["a.png", "b.tif", "c.pgm"] * 10):
        Image.fromarray(ramp).save(tmp_path / f"{i:02d}{name}")
    data = ImageFolder(str(tmp_path), size=8, batch_size=4)
    for image in torch.cat([split.images for split in data.splits.values()]):
        np.testing.assert_array_equal(image[0].numpy(), (ramp / 257).round())


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_of_no_known_range_are_refused(dtype, tmp_path):
    for i in range(30):
        Image.fromarray(np.full((8, 8), 0.5 if dtype == np.float32 else 70_000, dtype)).save(tmp_path / f"{i:02d}.tif")
    with pytest.raises(ValueError, match=r"path=.*00\.tif: holds numbers of no known range \(mode [IF]\); save it"):
        ImageFolder(str(tmp_path), size=8)


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 100), ("1", 1), ("RGBA", (9, 9, 9, 9)), ("CMYK", (1, 2, 3, 4)), ("P", 3), ("LA", (7, 9))]
)
def test_all_kinds_of_eight_bits_are_read(mode, colour, tmp_path):
    kind = "tif" if mode == "CMYK" else "png"
    for i in range(30):
        Image.new(mode, (8, 8), colour).save(tmp_path / f"{i}.{kind}")
    image = ImageFolder(str(tmp_path), size=8, batch_size=4).splits["test"].images[0]
    assert image.equal(torch.from_numpy(np.array(Image.new(mode, (8, 8), colour).convert("RGB"))).permute(2, 0, 1))


def test_a_folder_without_val_holds_out_a_tenth_of_train(tmp_path):
    for split, counts in (("train", {"cat": 60, "dog": 50}), ("test", {"dog": 12})):
        for name, count in counts.items():
            pictures(tmp_path / split / name, (200 if name == "dog" else 0, 0, 0), count)
    data = ImageFolder(str(tmp_path), size=8, batch_size=4)
    assert {name: len(split.images) for name, split in data.splits.items()} == {"train": 99, "val": 11, "test": 12}
    for split in data.splits.values():  # a class has one number in all splits
        assert split.labels.tolist() == [int(image.max() > 0) for image in split.images]
    assert data.splits["test"].labels.unique().tolist() == [1]


def test_the_validation_split_has_several_names(tmp_path):
    for name, count in (("train", 30), ("valid", 11)):
        pictures(tmp_path / name, (0, 0, 0), count)
    splits = ImageFolder(str(tmp_path), size=8, batch_size=4).splits
    assert {name: len(split.images) for name, split in splits.items()} == {"train": 20, "val": 11, "test": 10}
    assert splits["val"].labels is None


def test_images_beside_the_classes_have_no_label(tmp_path):
    for name in ("train/cat", "train/dog", "test"):
        pictures(tmp_path / name, (0, 0, 0), 20)
    splits = ImageFolder(str(tmp_path), size=8, batch_size=4).splits
    assert splits["train"].labels is not None
    assert splits["test"].labels is None


def test_a_folder_called_train_alone_is_cut(tmp_path):
    for name in ("a", "b"):
        pictures(tmp_path / "train" / name, (0, 0, 0), 50)
    splits = ImageFolder(str(tmp_path), size=8, batch_size=4).splits
    assert [len(splits[name].images) for name in ("train", "val", "test")] == [80, 10, 10]


def test_a_train_folder_too_small_to_hold_out_from_is_refused(tmp_path):
    for name in ("train", "test"):
        pictures(tmp_path / name, (0, 0, 0), 15)
    with pytest.raises(ValueError, match=r"train: holds 15 images; must be at least 20 to be cut into train, val$"):
        ImageFolder(str(tmp_path), size=8)


@pytest.mark.parametrize("word", ["off", "no", 1])
def test_grey_is_true_or_false(word, tmp_path):
    with pytest.raises(ValueError, match=f"grey={word}: must be true or false"):
        ImageFolder(str(tmp_path), grey=word)


def test_what_is_no_regular_file_is_left_alone(tmp_path):
    """Opening a pipe waits for a writer that never comes."""
    pictures(tmp_path / "a", (0, 0, 0), 30)
    os.mkfifo(tmp_path / "a" / "pipe.png")
    (tmp_path / "a" / "folder.png").mkdir()
    assert len(ImageFolder(str(tmp_path), size=8, batch_size=4).splits["train"].images) == 10


@pytest.mark.parametrize("count", [10, 15, 29])
def test_an_array_too_small_to_hold_out_from_is_refused(count, tmp_path):
    with pytest.raises(ValueError, match=f"holds {count} images; must be at least 30 to be cut into train, val, test"):
        npz(tmp_path / "a.npz", x_train=np.zeros((count, 4, 4), np.uint8))


@pytest.mark.parametrize("value", [1e300, -1e39])
def test_pixels_that_float32_cannot_hold_are_refused(value, tmp_path):
    images = np.zeros((30, 4, 4))
    images[3, 1, 1] = value
    with pytest.raises(ValueError, match="holds NaN or infinite values in 1 images, read as float32"):
        npz(tmp_path / "a.npz", images=images)

    class Own(ImageData):
        def load(self):
            return dict.fromkeys(("train", "val", "test"), Split(torch.from_numpy(images)[:, None]))

    with pytest.raises(ValueError, match=r"must lie within ±3.4e\+38"):
        Own(batch_size=2)


def test_a_wrong_root_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()

    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    for cls, root in ((MNIST, "wrong/deep"), (FashionMNIST, "kept"), (CIFAR10, "other")):
        with pytest.raises(ValueError, match="cannot be downloaded"):
            cls(root=str(tmp_path / root))
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


@pytest.mark.parametrize("module", [binarized_mnist, gaussian, image_folder, npz_module, torchvision_sets])
def test_only_the_last_data_set_is_kept_in_memory(module):
    assert module.load.cache_info().maxsize == 1
