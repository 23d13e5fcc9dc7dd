"""Fixtures that all tests share."""

import os
import shutil
from pathlib import Path

import pytest
import torch

DATA = "VAE_LAB_TEST_DATA"


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors: more threads only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """A writable data root with MNIST and FashionMNIST as torchvision wants them."""
    source = os.environ.get(DATA)
    if not source or not (Path(source) / "MNIST" / "raw").is_dir():
        pytest.skip(f"real MNIST is missing: set {DATA} to a folder that holds MNIST/raw/*.gz")
    root = tmp_path_factory.mktemp("data")
    for name in ("MNIST", "FashionMNIST"):
        shutil.copytree(Path(source) / name, root / name)
    return root
