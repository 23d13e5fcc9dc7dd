"""The rooms of docs/architecture.md: imports point down the list, and what must not import torch does not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vae_lab

PACKAGE = Path(vae_lab.__file__).parent
FLOORS = [  # from the ground up: each may import those that stand before it
    *(
        "checks",
        "collective",
        "noise",
        "files",
        "standalone",
        "endings",
        "diagnosis",
        "config",
        "elbo",
        "data",
        "perceptual",
        "metrics",
        "networks",
        "functional",
        "models",
        "latent_space",
        "linear_theory",
    ),
    *("figures", "gallery", "callbacks", "runs", "console", "training", "stacking", "explorer", "report"),
    *("examination", "exporting", "sweep", "retraining"),
]
DOORS = (
    *("__init__", "__main__", "cli", "diagnose", "evaluate", "examine", "explore", "export"),
    *("theory", "preview", "latents", "list", "dashboard", "worker", "rank", "probe", "cure", "slurm_job"),
)
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(file):
    """The rooms of vae_lab that a file imports from, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vae_lab":
            names = [node.module] if node.module != "vae_lab" else [f"vae_lab.{alias.name}" for alias in node.names]
            yield from (name.split(".")[1] for name in names if name != "vae_lab.__version__")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file):
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    here = parts[0]
    allowed = {*FLOORS, "cli", "worker"} if here in DOORS else set(FLOORS[: FLOORS.index(here) + 1])
    assert set(imported(file)) <= allowed


@pytest.mark.parametrize(
    "name", ["runs.run", "report.show", "report.workspace", "diagnosis.causes", "config.compose", "sweep.grid", "cli"]
)
def test_what_only_reads_imports_no_torch(name):
    code = f"import sys, vae_lab.{name}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
