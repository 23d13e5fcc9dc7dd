"""``python -m vae_lab.examine``, and the function of the same name."""

import subprocess
import sys

import numpy as np
import pytest

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
def command(tmp_path):
    (tmp_path / "my_vae.py").write_text(MODULE)
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "my.npz", images=images)

    def call(*arguments):
        line = [sys.executable, "-m", "vae_lab.examine", *arguments]
        return subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)

    return call


def test_a_model_is_examined_and_saved_from_the_shell(command, tmp_path):
    told = ("likelihood=bernoulli", "samples=0", "save=examined", "--allow", "my_vae")
    done = command("model=my_vae:make_model", "data=my.npz", *told)
    assert done.returncode == 0, done.stderr
    assert "Model: 10 examples (1 × 8 × 8); z of 2 dimensions" in done.stdout
    assert "cause (established): the decoder does not read z" in done.stdout
    assert done.stdout.rstrip().endswith("next: python -m vae_lab.report sweep=examined")
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
    done = command(*arguments)
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("first", ["", "import vae_lab.examine; ", "from vae_lab import examine; "])
def test_the_function_stays_a_function_beside_the_command_of_its_name(first):
    code = (
        f"import importlib, types, vae_lab; {first}"
        "door = importlib.import_module('vae_lab.examine'); "
        "print(isinstance(vae_lab.examine, types.FunctionType), callable(door.main), vae_lab.examine.__module__)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "True", "vae_lab.examination.examine"]


def test_importing_the_package_or_the_command_imports_no_torch():
    code = "import sys, vae_lab, importlib; importlib.import_module('vae_lab.examine'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
