"""Each published set on a tiny file of its official format, which the test writes."""

import gzip
import hashlib
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from vae_lab.data import EMNIST, KMNIST, SVHN, CelebA, DSprites, FreyFaces, ImageNet32, Npz, Omniglot
from vae_lab.data import omniglot as omniglot_module
from vae_lab.data.rows import Rows

RNG = np.random.default_rng(0)


def md5(file):
    return hashlib.md5(file.read_bytes()).hexdigest()


def idx(array):
    """The bytes of an IDX file of uint8."""
    return struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def few(monkeypatch):
    """Fewer images for validation than the real sets hold out."""
    for cls in (KMNIST, EMNIST, SVHN, Omniglot):
        monkeypatch.setattr(cls, "held_out", 10)


def test_kmnist(tmp_path, few):
    raw = tmp_path / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    images, labels = RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8), RNG.integers(0, 10, 30, dtype=np.uint8)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    data = KMNIST(root=str(tmp_path), batch_size=4)
    assert {name: len(split.images) for name, split in data.splits.items()} == {"train": 20, "val": 10, "test": 30}
    assert data.splits["test"].images[:, 0].numpy().tolist() == images.tolist()
    assert data.splits["val"].labels.tolist() == labels[20:].tolist()


def test_the_gz_files_of_kmnist_are_unpacked(tmp_path, few, monkeypatch):
    from torchvision.datasets import KMNIST as Original

    raw = tmp_path / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    resources = []
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", np.zeros((30, 28, 28), np.uint8)), ("labels-idx1", np.zeros(30, np.uint8))):
            file = raw / f"{part}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(idx(array)))
            resources.append((file.name, md5(file)))
    monkeypatch.setattr(Original, "resources", resources)
    assert len(KMNIST(root=str(tmp_path), batch_size=4).splits["test"].images) == 30


@pytest.mark.parametrize("part", ["balanced", "letters"])
def test_emnist_stands_upright(part, tmp_path, few):
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    images, labels = RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8), RNG.integers(1, 27, 30, dtype=np.uint8)
    for split in ("train", "test"):
        (raw / f"emnist-{part}-{split}-images-idx3-ubyte").write_bytes(idx(images.transpose(0, 2, 1)))
        (raw / f"emnist-{part}-{split}-labels-idx1-ubyte").write_bytes(idx(labels))
    splits = EMNIST(part, root=str(tmp_path), batch_size=4).splits
    assert splits["test"].images[:, 0].numpy().tolist() == images.tolist()
    assert splits["test"].labels.tolist() == labels.tolist()


def test_emnist_has_six_parts():
    with pytest.raises(ValueError, match=r"^part=ballanced: must be one of byclass, .* \(did you mean balanced\?\)"):
        EMNIST("ballanced")


def test_svhn(tmp_path, few, monkeypatch):
    from torchvision.datasets import SVHN as Original

    images, labels = RNG.integers(0, 256, (32, 32, 3, 30), dtype=np.uint8), np.arange(30)[:, None] % 10 + 1
    table = {}
    for part in ("train", "test"):
        file = tmp_path / f"{part}_32x32.mat"
        savemat(file, {"X": images, "y": labels})
        table[part] = ["", file.name, md5(file)]
    monkeypatch.setattr(Original, "split_list", table)
    splits = SVHN(root=str(tmp_path), batch_size=4).splits
    assert tuple(splits["train"].images.shape) == (20, 3, 32, 32)
    assert splits["test"].images[7].permute(1, 2, 0).numpy().tolist() == images[..., 7].tolist()
    assert splits["test"].labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_omniglot_of_lake(tmp_path, few, monkeypatch):
    """Folders of alphabets and characters beside their archives; ink is black there and white here."""
    from torchvision.datasets import Omniglot as Original

    folder, sums = tmp_path / "omniglot-py", {}
    for part, characters in (("images_background", 3), ("images_evaluation", 2)):
        for character in range(characters):
            where = folder / part / "Greek" / f"character{character:02d}"
            where.mkdir(parents=True)
            for i in range(10):
                drawing = np.full((105, 105), 255, np.uint8)
                drawing[:, : 15 * (character + 1)] = 0
                Image.fromarray(drawing).convert("1").save(where / f"{i:04d}.png")
        archive = folder / f"{part}.zip"
        with zipfile.ZipFile(archive, "w") as out:
            for file in sorted((folder / part).rglob("*.png")):
                out.write(file, file.relative_to(folder))
        sums[part] = md5(archive)
    monkeypatch.setattr(Original, "zips_md5", sums)
    splits = Omniglot("lake", root=str(tmp_path), batch_size=4).splits
    assert {name: len(split.images) for name, split in splits.items()} == {"train": 20, "val": 10, "test": 20}
    image = splits["test"].images[0, 0]
    assert image.shape == (28, 28)
    assert (image[:, :4] == 255).all() and (image[:, 4:] == 0).all()
    assert splits["test"].labels.tolist() == [0] * 10 + [1] * 10
    assert Omniglot("lake", root=str(tmp_path), size=21, batch_size=4).image_shape == (1, 21, 21)


def test_omniglot_of_burda(tmp_path, monkeypatch):
    """Columns of 784 values in Matlab's order, in [0, 1]."""
    monkeypatch.setitem(omniglot_module.HELD_OUT, "burda", 12)
    (tmp_path / "omniglot").mkdir()
    images, alphabets = RNG.random((40, 28, 28)), np.eye(50)[RNG.integers(0, 50, 40)].T
    columns = images.transpose(0, 2, 1).reshape(40, 784).T
    content = {"data": columns, "target": alphabets, "testdata": columns[:, :20], "testtarget": alphabets[:, :20]}
    savemat(tmp_path / "omniglot" / "chardata.mat", content)
    splits = Omniglot(root=str(tmp_path), batch_size=4).splits
    assert {name: len(split.images) for name, split in splits.items()} == {"train": 28, "val": 12, "test": 20}
    np.testing.assert_array_equal(splits["test"].images[:, 0].numpy(), (images[:20] * 255).round())
    assert splits["val"].labels.tolist() == alphabets.argmax(0)[28:].tolist()


def celeba(tmp_path, monkeypatch, count=36):
    from torchvision.datasets import CelebA as Original

    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(count)]
    for i, name in enumerate(names):
        picture = np.zeros((218, 178, 3), np.uint8)
        picture[35:183, 15:163] = 5 * i  # the middle; what is around it is cut off
        picture[:35] = 255
        Image.fromarray(picture).save(folder / "img_align_celeba" / name, quality=100)
    attributes = RNG.choice([-1, 1], (count, 3))

    def rows(values):
        return [f"{name}  {' '.join(map(str, row))}" for name, row in zip(names, values, strict=True)]

    def write(name, *lines):
        (folder / name).write_text("\n".join(lines) + "\n")

    write("list_eval_partition.txt", *rows([[i // 12] for i in range(count)]))
    write("identity_CelebA.txt", *rows([[i] for i in range(count)]))
    write("list_attr_celeba.txt", str(count), "Bald Smiling Young", *rows(attributes))
    write("list_bbox_celeba.txt", str(count), "image_id x_1 y_1 width height", *rows([[1] * 4] * count))
    write("list_landmarks_align_celeba.txt", str(count), " ".join("abcdefghij"), *rows([[1] * 10] * count))
    kept = [(key, md5(folder / name) if (folder / name).is_file() else "", name) for key, _, name in Original.file_list]
    monkeypatch.setattr(Original, "file_list", kept)
    return attributes


def test_celeba(tmp_path, monkeypatch):
    attributes = celeba(tmp_path, monkeypatch)
    data = CelebA(root=str(tmp_path), size=16, batch_size=4)
    assert data.image_shape == (3, 16, 16)
    assert isinstance(data.splits["train"].images, Rows)
    test = next(data.eval_stream("test"))
    assert test.factors.tolist() == ((attributes + 1) // 2)[24:].tolist()
    expected = torch.arange(24, 36) * 5 / 255
    assert ((test.x - expected.view(-1, 1, 1, 1)).abs() < 3 / 255).all()
    assert sorted(file.name for file in (tmp_path / "celeba").glob("*.npy")) == [
        "test_16_of_148.npy",
        "train_16_of_148.npy",
        "valid_16_of_148.npy",
    ]


def imagenet(folder, sizes=(20, 15), test=12):
    folder.mkdir()
    arrays = []
    for name, n in [*((f"train_data_batch_{i + 1}", n) for i, n in enumerate(sizes)), ("val_data", test)]:
        data, labels = RNG.integers(0, 256, (n, 3 * 32 * 32), dtype=np.uint8), RNG.integers(1, 1001, n)
        np.savez(folder / f"{name}.npz", data=data, labels=labels, mean=np.zeros(3072))
        arrays.append((data.reshape(n, 3, 32, 32), labels - 1))
    return arrays


def test_imagenet32(tmp_path):
    first, second, test = imagenet(tmp_path / "imagenet32")
    data = ImageNet32(root=str(tmp_path), held_out=12, batch_size=4, eval_batch_size=12)
    assert {name: len(split.images) for name, split in data.splits.items()} == {"train": 23, "val": 12, "test": 12}
    assert isinstance(data.splits["train"].images, Rows)
    batch = next(data.eval_stream("val"))
    assert (batch.x * 255).round().byte().numpy().tolist() == second[0][3:].tolist()
    assert batch.labels.tolist() == second[1][3:].tolist()
    assert next(data.eval_stream("test")).labels.tolist() == test[1].tolist()
    assert data.splits["train"].labels[:20].tolist() == first[1].tolist()


def test_more_than_nine_batches_of_imagenet_come_in_order(tmp_path):
    arrays = imagenet(tmp_path / "imagenet32", sizes=[10] * 11)
    labels = ImageNet32(root=str(tmp_path), held_out=10, batch_size=4).splits["train"].labels
    assert labels.tolist() == np.concatenate([labels for _, labels in arrays[:10]]).tolist()


NAME = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


def test_dsprites(tmp_path):
    """0 and 1 as uint8; metadata is pickled there and left alone; the archive is unpacked once."""
    images, classes = RNG.integers(0, 2, (60, 64, 64), dtype=np.uint8), RNG.integers(0, 3, (60, 6))
    classes[:, 0] = 0
    metadata = np.array({"author": "someone"}, dtype=object)
    np.savez_compressed(
        tmp_path / NAME, imgs=images, latents_classes=classes, latents_values=classes, metadata=metadata
    )
    data = DSprites(root=str(tmp_path), batch_size=4)
    assert (data.image_shape, data.value_range) == ((1, 64, 64), (0.0, 1.0))
    table = {image.tobytes(): row[1:].tolist() for image, row in zip(images, classes, strict=True)}
    for batch in data.eval_stream("test"):
        for x, factors in zip(batch.x, batch.factors, strict=True):
            assert table[x[0].byte().numpy().tobytes()] == factors.tolist()
    assert isinstance(data.splits["train"].images, Rows)
    unpacked = tmp_path / "dsprites" / "imgs.npy"
    before = unpacked.stat().st_mtime_ns
    DSprites(root=str(tmp_path), batch_size=4)
    assert unpacked.stat().st_mtime_ns == before


def test_frey_faces(tmp_path):
    images = RNG.integers(0, 256, (50, 28, 20), dtype=np.uint8)
    savemat(tmp_path / "frey_rawface.mat", {"ff": images.reshape(50, 560).T})
    data = FreyFaces(root=str(tmp_path), batch_size=4)
    assert data.image_shape == (1, 28, 20)
    found = torch.cat([split.images for split in data.splits.values()])[:, 0].numpy()
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in images)


def test_a_persons_own_matlab_file(tmp_path):
    images = RNG.integers(0, 256, (40, 6, 5), dtype=np.uint8)
    savemat(tmp_path / "own.mat", {"images": images, "labels": np.arange(40)})
    data = Npz(str(tmp_path / "own.mat"), batch_size=4)
    split = data.splits["train"]
    assert split.images[:, 0].numpy().tolist() == images[split.labels].tolist()


def test_a_matlab_file_of_version_7_3_is_refused(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "own.mat").write_bytes(header + bytes(500))
    with pytest.raises(ValueError, match=r"own\.mat: is no readable \.mat file up to version 7\.2"):
        Npz(str(tmp_path / "own.mat"))


LACKING = {
    "frey": (FreyFaces, r"holds no frey_rawface.mat; get it from cs.nyu.edu.* and put it there as .*frey_rawface.mat"),
    "dsprites": (DSprites, r"holds no dsprites_ndarray.*; get it from github.com/google-deepmind/dsprites-dataset"),
    "imagenet32": (ImageNet32, r"holds no train_data_batch_1.npz; get Imagenet32_train_npz.zip .* from image-net.org"),
    "omniglot": (Omniglot, r"holds no omniglot/chardata.mat; get chardata.mat from github.com/yburda/iwae"),
    "celeba": (
        CelebA,
        r"CelebA is not there whole .*; get img_align_celeba .* from mmlab.* and put them into .*celeba",
    ),
    "svhn": (SVHN, r"SVHN is not there whole .*; get train_32x32.mat and test_32x32.mat from ufldl.stanford.edu"),
    "kmnist": (KMNIST, r"KMNIST is not there whole .*; get the four .gz files from codh.rois.ac.jp/kmnist"),
    "emnist": (EMNIST, r"EMNIST is not there whole .*; get gzip.zip from nist.gov"),
    "lake": (lambda root: Omniglot("lake", root=root), r"Omniglot is not there whole .* from github.com/brendenlake"),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_is_not_there_says_in_one_line_where_to_get_it_and_where_to_put_it(name, tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    make, message = LACKING[name]
    with pytest.raises(ValueError, match=f"^root=.*: {message}") as caught:
        make(root=str(tmp_path))
    assert "\n" not in str(caught.value)
    assert "data.root=DIR" in str(caught.value)


def test_files_that_hold_something_else_are_refused(tmp_path):
    savemat(tmp_path / "frey_rawface.mat", {"faces": np.zeros((3, 3))})
    np.savez(tmp_path / NAME, pictures=np.zeros((3, 3)))
    (tmp_path / "imagenet32").mkdir()
    for name in ("train_data_batch_1", "val_data"):
        np.savez(tmp_path / "imagenet32" / f"{name}.npz", data=np.zeros((3, 5), np.uint8), labels=np.ones(3))
    for cls, message in (
        (FreyFaces, "holds faces; must hold ff"),
        (DSprites, "holds pictures; must hold imgs"),
        (ImageNet32, r"holds data, labels; must hold data, uint8 \(N, 3·H·W\)"),
    ):
        with pytest.raises(ValueError, match=message):
            cls(root=str(tmp_path))
