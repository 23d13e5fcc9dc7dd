"""The command ``python -m vae_lab.export``."""

import shutil

import pytest

from vae_lab import export
from vae_lab.console import read_command_line

pytest.importorskip("safetensors")


def run(*arguments):
    export.main(read_command_line(arguments))


def test_it_writes_beside_the_run_and_says_where(trained, tmp_path, capsys):
    directory = shutil.copytree(trained, tmp_path / "run")
    run(f"run={directory}", "format=safetensors")
    file = directory / "export" / "model.safetensors"
    assert capsys.readouterr().out.startswith(str(file)) and file.is_file()


def test_a_folder_to_publish_comes_with_the_next_command(trained, tmp_path, capsys):
    run(f"run={trained}", "format=hub_folder", f"to={tmp_path / 'mine'}")
    assert capsys.readouterr().out.splitlines()[-1] == f"next: hf upload USER/NAME {tmp_path / 'mine'}"


def test_an_unknown_format_is_refused(trained):
    with pytest.raises(ValueError, match=r"format=onx: must be one of .* \(did you mean onnx\?\)"):
        run(f"run={trained}", "format=onx")
