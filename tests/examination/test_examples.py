"""Whatever people keep their data in is read."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from vae_lab.checks import ArgumentError
from vae_lab.examination.examples import read_examples

X = torch.arange(60.0).view(20, 3)
Y = torch.arange(20) % 4


class OfDicts(torch.utils.data.Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {"pixel_values": X[i], "label": int(Y[i])}


@pytest.mark.parametrize(
    "data",
    [
        X,
        X.numpy(),
        TensorDataset(X, Y),
        TensorDataset(X),
        DataLoader(TensorDataset(X, Y), batch_size=7),
        OfDicts(),
        DataLoader(OfDicts(), batch_size=8),
        [X[:12], X[12:]],
        [{"data": X, "mask": X > 0}],
    ],
    ids=lambda data: type(data).__name__,
)
def test_all_of_it_is_read_in_order(data):
    assert read_examples(data).x.equal(X)


def test_labels_are_read_where_there_are_any():
    assert read_examples(TensorDataset(X, Y)).labels.equal(Y)
    assert read_examples(OfDicts()).labels.equal(Y)
    assert read_examples(X).labels is None


def test_a_limit_takes_even_parts_and_the_first_of_a_loader():
    assert read_examples(X, limit=4).x.equal(X[[0, 5, 10, 15]])
    assert read_examples(TensorDataset(X), limit=4).x.equal(X[[0, 5, 10, 15]])
    assert read_examples(DataLoader(TensorDataset(X), batch_size=3), limit=4).x.equal(X[:4])


def test_a_key_names_the_entry():
    batch = {"left": X, "right": -X}
    assert read_examples([batch], key="right").x.equal(-X)
    assert read_examples([(Y, X)], key=1).x.equal(X)
    with pytest.raises(ArgumentError, match="say which entry holds the examples: key= one of left, right"):
        read_examples([batch])
    with pytest.raises(ArgumentError, match="key=up: must be one of left, right"):
        read_examples([batch], key="up")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "must be a tensor, an array, a Dataset or a DataLoader"),
        ([["words"]], r"a transform such as ToTensor\(\)"),
        ([X, X[:, :2]], "cannot be read"),
        (torch.zeros(5), "along its first axis"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(data, words):
    with pytest.raises(ArgumentError, match=words):
        read_examples(data)


def test_numpy_of_any_kind_is_read():
    assert read_examples(np.zeros((20, 8, 8), np.uint8)).x.dtype == torch.uint8


def test_a_function_of_a_batch_may_say_what_the_examples_are():
    batches = [{"counts": torch.ones(4, 3), "plate": torch.full((4, 1), 2)}] * 3
    read = read_examples(batches, lambda batch: torch.cat([batch["counts"], batch["plate"].float()], 1))
    assert read.x.shape == (12, 4) and read.x[0].tolist() == [1, 1, 1, 2]
