import pytest
import torch

from vae_lab.data import Digits, GaussianData
from vae_lab.perceptual import classifier as module
from vae_lab.perceptual.classifier import FOLDER, accuracy, classifier, file_of


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "STEPS", 80)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_it_learns_the_labels_once_and_is_kept(tmp_path, monkeypatch):
    data, state = Digits(), torch.get_rng_state()
    first = classifier(data, seed=0)
    assert accuracy(first, data) > 0.8  # one in ten by chance
    assert torch.get_rng_state().equal(state)
    file = file_of(data, seed=0)
    assert file.parent == tmp_path / "cache" / "vae_lab" / FOLDER and file.is_file()

    monkeypatch.setattr(module, "fit", lambda *_: pytest.fail("trained again"))
    again = classifier(data, seed=0)
    assert all(again.state_dict()[name].equal(weight) for name, weight in first.state_dict().items())


def test_its_name_follows_data_seed_and_training(monkeypatch):
    data = Digits()
    names = {file_of(data, 0), file_of(data, 1), file_of(Digits(binarize="static"), 0)}
    monkeypatch.setattr(module, "STEPS", 81)
    assert len(names | {file_of(data, 0)}) == 4


def test_it_lies_beside_the_data_where_they_lie_somewhere(tmp_path):
    data = Digits()
    data.root = tmp_path
    assert file_of(data, 0).parent == tmp_path / FOLDER
    data.root = tmp_path / "nowhere"
    assert file_of(data, 0).parent == tmp_path / "cache" / "vae_lab" / FOLDER


def test_data_without_labels_are_refused():
    with pytest.raises(ValueError, match="learns the data's labels, and GaussianData has none"):
        classifier(GaussianData(size=100, batch_size=10), seed=0)
