"""``python -m vae_lab.examine``, and the function of the same name."""

import importlib
import subprocess
import sys
import types

import numpy as np
import pytest

import vae_lab
from vae_lab import console
from vae_lab.examination import pictures

DOOR = importlib.import_module("vae_lab.examine")

MODULE = """
import torch
from torch import nn

class Model(nn.Module):
    def encode(self, x):
        return x.flatten(1)[:, :2], torch.zeros(len(x), 2)

    def decode(self, z):
        return (0 * z[:, :1] + 0.5).expand(-1, 64)

def make_model():
    return Model()

def broken():
    raise RuntimeError("no weights")
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the command inside this process, in a folder with a model and data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_vae", raising=False)
    monkeypatch.setattr(pictures, "names", lambda model, picture: ["reconstructions"])
    (tmp_path / "my_vae.py").write_text(MODULE)
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "my.npz", images=images)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["vae_lab.examine", *arguments])
        code = 0
        try:
            console.command(DOOR.main, DOOR.USAGE)
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return (1, said.out, said.err + code) if isinstance(code, str) else (int(code or 0), said.out, said.err)

    return call


def test_a_model_is_examined_and_saved_from_the_shell(command, tmp_path):
    told = ("likelihood=bernoulli", "samples=0", "save=examined", "--allow", "my_vae")
    code, out, err = command("model=my_vae:make_model", "data=my.npz", *told)
    assert code == 0, err
    assert "Model: 10 examples (1 × 8 × 8); z of 2 dimensions" in out
    assert "cause (established): the decoder does not read z" in out
    assert out.rstrip().endswith("next: python -m vae_lab.report sweep=examined")
    assert (tmp_path / "examined" / "result.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model=my_vae:make_model"], "data: must be given"),
        (["model=my_vae:make_model", "data=my.npz"], "unless you say so: --allow my_vae"),
        (["model=my_vae.make_model", "data=my.npz", "--allow", "my_vae"], "must be MODULE:NAME"),
        (["model=my_vae:broken", "data=my.npz", "--allow", "my_vae"], "gives no model (RuntimeError: no weights)"),
        (["model=my_vae:make_model", "data=no.npz", "--allow", "my_vae"], "path=no.npz: no such file"),
        (["model=my_vae:make_model", "data=my.npz", "--allow", "my_vae", "beta=x"], "beta=x: must be a number"),
    ],
)
def test_mistakes_are_one_line(command, arguments, words):
    code, _, err = command(*arguments)
    assert code == 1
    assert words in err and "Traceback" not in err


def test_the_function_stays_a_function_beside_the_command_of_its_name():
    from vae_lab import examine

    assert importlib.import_module("vae_lab.examine") is DOOR and callable(DOOR.main)
    assert isinstance(examine, types.FunctionType) and vae_lab.examine is examine
    assert examine.__module__ == "vae_lab.examination.examine"
    with pytest.raises(AttributeError, match="no attribute 'exmine'"):
        _ = vae_lab.exmine


def test_importing_the_package_or_the_command_imports_no_torch():
    code = "import sys, vae_lab, importlib; importlib.import_module('vae_lab.examine'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
