"""Clusters: the spectrum is exact, and each point is there equally often."""

import pytest
import torch

from vae_lab.data import Clusters


def test_the_covariance_has_the_eigenvalue_and_zero():
    data = Clusters(clusters=8, eigenvalue=0.3, size=80, batch_size=8)
    for split in data.splits.values():
        x = split.images.flatten(1).double()
        eigenvalues = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)) / len(x))
        torch.testing.assert_close(eigenvalues, torch.tensor([0.0, *[0.3] * 7]).double(), atol=1e-7, rtol=1e-5)


def test_each_point_is_there_equally_often_and_labelled():
    split = Clusters(clusters=8, size=80, batch_size=8).splits["train"]
    assert split.labels.bincount().tolist() == [10] * 8
    assert torch.equal(split.images.flatten(1).argmax(1), split.labels)
    assert split.images.shape == (80, 1, 1, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 1}, r"^clusters=1: must be"),
        ({"eigenvalue": 0.0}, r"^eigenvalue=0\.0: must be"),
        ({"clusters": 7, "size": 80}, r"^size=80: must be a multiple of clusters=7$"),
    ],
)
def test_mistakes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Clusters(**options, batch_size=8)
