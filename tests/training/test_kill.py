"""A process that SIGKILL ends, in a step, in a validation or while a checkpoint is written, leaves what goes on."""

import json
import os
import subprocess
import sys

import pytest

from vae_lab.runs.run import Run
from vae_lab.training import run

from .test_resume import LENGTHS, assert_same_run

CONFIG = (*LENGTHS, "model=bn_vae", "control=pi", "metrics.test.nll.k=0")
MOMENTS = {  # what is put in the place of what, in a process that will not survive its call number ``at``
    "in a step": ("vae_lab.models.VAE.training_step", 14, "before"),
    "in a validation": ("vae_lab.models.VAE.validation_step", 2, "before"),
    "before a checkpoint has its name": ("vae_lab.callbacks.checkpoints.settle", 3, "before"),
    "between previous and last": ("os.replace", 7, "after"),
    "half a checkpoint written": ("torch.save", 2, "half"),
    "in the test": ("vae_lab.models.VAE.test_step", 1, "before"),
}
RUNNER = """
import json, os, signal, sys
from pathlib import Path
from unittest.mock import patch
from vae_lab.training.run import execute

config, directory, place, at, when = json.loads(sys.argv[1])
module, _, name = place.rpartition(".")
import importlib
try:
    owner = importlib.import_module(module)
except ModuleNotFoundError:
    owner = getattr(importlib.import_module(module.rpartition(".")[0]), module.rpartition(".")[2])
real, calls = getattr(owner, name), []

def deadly(*arguments, **options):
    calls.append(1)
    last = len(calls) == at
    if last and when == "half":
        Path(directory, "checkpoints", "new.ckpt").write_bytes(b"half")
    if last and when != "after":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = real(*arguments, **options)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

setattr(owner, name, deadly)
execute(config, Path(directory), {})
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody killed, and its config."""
    from ..conftest import config_of

    folder = tmp_path_factory.mktemp("whole")
    config = config_of(*CONFIG)
    run.execute(config, folder, {})
    return config, folder


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_killed_run_goes_on_as_if_nothing_had_been(whole, tmp_path, moment):
    config, folder = whole
    command = [sys.executable, "-c", RUNNER, json.dumps([config, str(tmp_path), *moment])]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == -9, done.stderr
    assert Run.read(tmp_path).status == "stopped"
    run.execute(config, tmp_path, {})
    assert_same_run(folder, tmp_path)
