"""Larochelle's binarised MNIST: the real file where it is there, and files that are not it."""

import os

import numpy as np
import pytest
import torch

from vae_lab.checks import ConfigError
from vae_lab.data import BinarizedMNIST
from vae_lab.data import binarized_mnist as module
from vae_lab.data.images import pixels
from vae_lab.training.run import check

SMALL = {"train": ("train", 30), "val": ("valid", 10), "test": ("test", 12)}


def test_the_real_file_is_the_set(binarized_root):
    data = BinarizedMNIST(root=str(binarized_root))
    assert {name: tuple(split.images.shape) for name, split in data.splits.items()} == {
        "train": (50_000, 1, 28, 28),
        "val": (10_000, 1, 28, 28),
        "test": (10_000, 1, 28, 28),
    }
    assert data.value_range == (0, 1)
    for split in data.splits.values():
        assert split.labels is None
        assert split.images.dtype == torch.uint8
        assert split.images.unique().tolist() == [0, 255]
    assert next(data.train_stream(1)).x.unique().tolist() == [0.0, 1.0]
    mean, variance = data.train_moments()
    assert float(mean.mean()) == pytest.approx(0.1306, abs=1e-4)
    assert variance == pytest.approx(float((mean * (1 - mean)).mean()), abs=1e-6)


def test_the_real_file_keeps_its_order(binarized_root):
    splits = BinarizedMNIST(root=str(binarized_root)).splits
    with np.load(binarized_root / module.FILE) as archive:
        for part, name in (("train", "train"), ("val", "valid"), ("test", "test")):
            np.testing.assert_array_equal(splits[part].images.flatten(1).numpy() // 255, archive[name])


def test_the_real_file_shows_upright_digits(binarized_root):
    """A digit's ink lies in the middle rows and columns: the border of MNIST is empty."""
    mean = BinarizedMNIST(root=str(binarized_root)).train_moments()[0][0]
    assert float(mean[10:18, 10:18].mean()) > 0.35
    assert float(mean[[0, -1]].max()) < 0.01
    assert float(mean[:, [0, -1]].max()) < 0.01


@pytest.fixture
def arrays(monkeypatch):
    """Arrays of a set with the real format and a few images."""
    monkeypatch.setattr(module, "ARRAYS", SMALL)
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 2, (count, 784), dtype=np.uint8) for name, count in SMALL.values()}


def write(root, arrays):
    file = root / module.FILE
    file.parent.mkdir(exist_ok=True)
    np.savez(file, **arrays)
    return file


def made(root):
    return BinarizedMNIST(root=str(root), batch_size=5)


def test_zeros_and_ones_become_black_and_white(tmp_path, arrays):
    write(tmp_path, arrays)
    splits = made(tmp_path).splits
    for part, (name, count) in SMALL.items():
        assert splits[part].images.shape == (count, 1, 28, 28)
        np.testing.assert_array_equal(pixels(splits[part].images).flatten(1).numpy(), arrays[name])
    assert splits["train"].images[3, 0, 5, 7] == 255 * int(arrays["train"][3, 5 * 28 + 7])


@pytest.mark.parametrize("mode", ["static", "dynamic"])
def test_binarisation_changes_nothing(tmp_path, arrays, mode):
    write(tmp_path, arrays)
    plain, drawn = made(tmp_path), BinarizedMNIST(root=str(tmp_path), batch_size=5, binarize=mode)
    assert all(drawn.splits[name].images.equal(plain.splits[name].images) for name in SMALL)
    assert next(drawn.train_stream(1)).x.equal(next(plain.train_stream(1)).x)


def test_the_file_is_read_anew_when_it_changes(tmp_path, arrays):
    write(tmp_path, arrays)
    made(tmp_path)
    file = write(tmp_path, arrays | {"train": np.zeros_like(arrays["train"])})
    later = file.stat().st_mtime + 1
    os.utime(file, (later, later))
    assert int(made(tmp_path).splits["train"].images.max()) == 0


def refusal(root):
    """The one line that says what is wrong with the file below ``root``."""
    with pytest.raises(ValueError, match=f"^root={root}: ") as caught:
        made(root)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"root={root}: ")


def test_missing_file_says_what_to_put_where(tmp_path):
    said = refusal(tmp_path)
    assert f"as {tmp_path / 'binarized_mnist' / 'binarized_mnist.npz'}, " in said
    assert said.endswith("by data.root=DIR or VAE_LAB_DATA=DIR")


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_missing_array(tmp_path, arrays, name):
    del arrays[name]
    write(tmp_path, arrays)
    found = ", ".join(arrays)
    assert refusal(tmp_path) == f"{module.FILE} holds {found}; must hold train, valid, test"


def test_empty_archive(tmp_path):
    write(tmp_path, {})
    assert refusal(tmp_path) == f"{module.FILE} holds nothing; must hold train, valid, test"


@pytest.mark.parametrize(("name", "count"), SMALL.values())
@pytest.mark.parametrize("shape", [(9, 784), (12, 28, 28), (784,), (0, 784), ()])
def test_wrong_shape(tmp_path, arrays, name, count, shape):
    write(tmp_path, arrays | {name: np.zeros(shape, np.uint8)})
    assert refusal(tmp_path) == f"{name} of {module.FILE} is uint8 {shape}; must be uint8 ({count}, 784)"


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_wrong_type(tmp_path, arrays, dtype):
    write(tmp_path, arrays | {"valid": arrays["valid"].astype(dtype)})
    expected = f"valid of {module.FILE} is {np.dtype(dtype)} (10, 784); must be uint8 (10, 784)"
    assert refusal(tmp_path) == expected


def test_grey_values(tmp_path, arrays):
    arrays["test"][3, 4] = 7
    write(tmp_path, arrays)
    assert refusal(tmp_path) == f"test of {module.FILE} holds values up to 7; must be 0 and 1"


def test_truncated_file(tmp_path, arrays):
    file = write(tmp_path, arrays)
    file.write_bytes(file.read_bytes()[:5000])
    assert refusal(tmp_path).startswith(f"{module.FILE} is no readable .npz file (")


def test_corrupt_bytes(tmp_path, arrays):
    file = write(tmp_path, arrays)
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    assert refusal(tmp_path).startswith(f"{module.FILE} is no readable .npz file (BadZipFile: Bad CRC-32")


@pytest.mark.parametrize("content", [b"", b"0 1 0 1\n", b"\x80\x04N."])
def test_other_file(tmp_path, content):
    file = write(tmp_path, {})
    file.write_bytes(content)
    assert refusal(tmp_path).startswith(f"{module.FILE} is no readable .npz file (")


def test_one_bare_array(tmp_path, arrays):
    file = write(tmp_path, {})
    with file.open("wb") as stream:
        np.save(stream, arrays["train"])
    assert refusal(tmp_path).startswith(f"{module.FILE} is no readable .npz file (")


def test_pickle_inside_is_not_loaded(tmp_path, arrays):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    write(tmp_path, arrays | {"valid": np.array([Trap()], dtype=object)})
    assert refusal(tmp_path).startswith(f"{module.FILE} is no readable .npz file (ValueError: ")
    assert not (tmp_path / "sprung").exists()


def test_config_names_the_root(tmp_path, compose_config, monkeypatch):
    monkeypatch.setenv("VAE_LAB_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=rf"^data\.root={tmp_path}: holds no {module.FILE}; "):
        check(compose_config("data=binarized_mnist"))


def test_config_builds(binarized_root, compose_config):
    check(compose_config("data=binarized_mnist", f"data.root={binarized_root}"))
