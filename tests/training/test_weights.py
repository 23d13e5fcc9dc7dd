"""Safetensors: the weights of a checkpoint and their recipe, there and back."""

import json

import pytest
import torch

import vae_lab
from vae_lab.checks import ArgumentError
from vae_lab.training.loading import checkpoint_of, read_checkpoint
from vae_lab.training.weights import WEIGHTS, write_weights

safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture
def written(trained, tmp_path):
    content = read_checkpoint(checkpoint_of(trained))
    write_weights(tmp_path / WEIGHTS, content)
    return tmp_path, content


def test_weights_and_recipe_come_back(written):
    folder, content = written
    again = read_checkpoint(folder / WEIGHTS)
    assert again["vae_lab"] == content["vae_lab"]
    assert again["state_dict"].keys() == content["state_dict"].keys()
    assert all(again["state_dict"][name].equal(value) for name, value in content["state_dict"].items())


def test_load_gives_the_same_model_from_file_and_folder(written, trained):
    folder, _ = written
    expected = vae_lab.load(trained).sample(3)
    assert vae_lab.load(folder / WEIGHTS).sample(3).equal(expected)
    assert vae_lab.load(folder).sample(3).equal(expected)


def test_any_tool_reads_them(written):
    folder, content = written
    plain = safetensors.load_file(folder / WEIGHTS)
    name = next(name for name in content["state_dict"] if name.startswith("encoder"))
    assert plain[name].equal(content["state_dict"][name])


@pytest.mark.parametrize("kind", ["cut", "foreign", "recipe"])
def test_broken_files_are_refused_in_one_line(written, kind):
    folder, content = written
    file = folder / WEIGHTS
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif kind == "foreign":
        safetensors.save_file({"weight": torch.zeros(2)}, file)
    else:
        safetensors.save_file(content["state_dict"], file, {"vae_lab": json.dumps({"config": {}})[:-1]})
    words = "was not written by vae_lab" if kind == "foreign" else "cannot be read"
    with pytest.raises(ArgumentError, match=words):
        read_checkpoint(file)
