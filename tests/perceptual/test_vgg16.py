import pytest
import torch
from torchvision.models import vgg16

from vae_lab.data import Digits
from vae_lab.perceptual import Wanted, features_for


@pytest.fixture
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_a_missing_file_says_where_to_get_it_and_where_to_put_it(no_cache):
    with pytest.raises(ValueError, match=r"(?s)no file .*vgg16-397923af.pth; get https://.*perceptual.weights=FILE"):
        features_for("vgg16", Wanted(), Digits())
    with pytest.raises(ValueError, match=r"weights=mine.pth: no file mine.pth"):
        features_for("vgg16", Wanted(weights="mine.pth"), Digits())


def test_a_file_of_something_else_is_refused(tmp_path):
    file = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="holds no weights of torchvision's vgg16"):
        features_for("vgg16", Wanted(weights=str(file)), Digits())


def test_the_weights_of_the_cache_are_read(no_cache):
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in vgg16(weights=None).state_dict().items()}
    no_cache.mkdir(parents=True)
    constant = {name: torch.full((), 1e-3).expand(shape) for name, shape in shapes.items()}  # a few bytes on disk
    torch.save(constant, no_cache / "vgg16-397923af.pth")
    features = features_for("vgg16", Wanted(), Digits())
    maps = features(torch.rand(2, 1, 16, 16))
    assert [tuple(map_.shape) for map_ in maps] == [(2, 64, 16, 16), (2, 128, 8, 8), (2, 256, 4, 4), (2, 512, 2, 2)]
    assert float(features.network.layers[0].weight[0, 0, 0, 0]) == pytest.approx(1e-3)
