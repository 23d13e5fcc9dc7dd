"""The CPU smoke: the real command in a process of its own, and every option of every config group built."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from vae_lab.config.groups import groups
from vae_lab.training.assembly import assemble
from vae_lab.training.run import check

OWN_FILES = {
    *("celeba", "cifar10", "dsprites", "emnist", "frey", "imagenet32", "kmnist", "omniglot", "svhn"),
}  # data sets whose files a person brings
BUILT = [(group, option) for group, options in groups().items() if group != "experiment" for option in options]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The directory of a real smoke sweep."""
    place = tmp_path_factory.mktemp("smoke")
    command = [sys.executable, "-m", "vae_lab", "+experiment=smoke", "-m"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    (directory,) = (place / "multirun").iterdir()
    return directory, done


def test_smoke_sweep_prints_plain_lines(sweep):
    _, done = sweep
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert "[5/5]" in done.stdout


def test_every_run_directory_keeps_the_contract(sweep):
    directory, _ = sweep
    runs = sorted(path.parent for path in directory.glob("*/result.json"))
    assert len(runs) == 5
    for run in runs:
        result = json.loads((run / "result.json").read_text())
        assert result["status"] == "finished"
        assert result["reason"] is None
        assert result["overrides"]["model"] in run.name
        assert result["seed"] == 0
        assert result["verdict"] in ("none", "partial", "full")
        assert (result["format"], result["checkpoint"]) == (2, "best.ckpt")
        assert 0 < result["checkpoint_step"] <= result["steps"]
        assert {"unused", "unfinished", "seconds", "steps", "versions", "started", "ended"} <= result.keys()
        names = ("elbo", "rate", "distortion", "mutual_information", "active_units", "shuffle_gap", "prior_gap", "nll")
        assert all(isinstance(result["metrics"][f"test/{name}"], (int, float)) for name in (*names, "psnr", "ssim"))
        assert len(result["metrics"]["test/rate_dim"]) == len(result["metrics"]["test/shuffle_gap_dim"]) == 4
        for name in (".hydra/config.yaml", "metrics.csv", "run.log", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
            assert (run / name).is_file(), name
        assert (run / "checkpoints/previous.ckpt").is_file()
        with (run / "metrics.csv").open() as file:
            columns = next(csv.reader(file))
        for name in (
            "train/rate",
            "train/loss",
            "val/elbo",
            "val/rate_dim/03",
            "val/mutual_information",
            "val/shuffle_gap",
        ):
            assert name in columns


def test_summary_has_a_row_per_run(sweep):
    directory, _ = sweep
    with (directory / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["vae", "beta_vae", "delta_vae", "info_vae", "bn_vae"]
    assert all(float(row["test/elbo"]) < 0 for row in rows)
    with (directory / "settings.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5


@pytest.mark.parametrize(("group", "option"), BUILT, ids=[f"{g}={o}" for g, o in BUILT])
def test_every_option_builds(group, option, compose_config, tmp_path, request):
    extra = []
    if (group, option) == ("data", "npz"):
        np.savez(tmp_path / "a.npz", images=np.zeros((100, 8, 8), np.uint8))
        extra = [f"data.path={tmp_path / 'a.npz'}"]
    elif (group, option) == ("data", "image_folder"):
        write_pictures(tmp_path)
        extra = [f"data.path={tmp_path}", "data.size=8", "data.batch_size=4"]
    elif (group, option) in (("data", "mnist"), ("data", "fashion_mnist")):
        extra = [f"data.root={request.getfixturevalue('data_root')}"]
    elif (group, option) == ("data", "binarized_mnist"):
        extra = [f"data.root={request.getfixturevalue('binarized_root')}"]
    elif (group, option) == ("data", "gaussian"):
        extra = ["likelihood=gaussian"]
    elif (group, option) == ("encoder", "anticausal"):
        extra = ["model=delta_vae"]
    elif (group, option) == ("likelihood", "discretized_logistic"):
        extra = ["likelihood.levels=17"]
    elif (group, option) == ("control", "geco"):
        extra = ["control.target=20"]
    elif (group, option) == ("likelihood", "discretized_logistic_mixture"):
        extra = ["decoder=pixelcnn", "likelihood.levels=17"]
    elif (group, option) == ("metrics", "disentanglement"):
        extra = ["data=sprites", f"data.root={tmp_path}"]
    elif group == "data" and option in OWN_FILES:
        pytest.skip(f"{option} cannot be downloaded here; tests/data builds it from a small file of its format")
    elif (group, option) == ("perceptual", "vgg16"):
        pytest.skip("its weights cannot be downloaded here; tests/perceptual has some of its own")
    config = compose_config(f"{group}={option}", *extra)
    if (group, option) == ("trainer", "gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no GPU on this machine")
    check(config)
    if group == "logger":
        from lightning.pytorch.loggers import Logger

        from vae_lab.config.build import build

        for key, node in (config["logger"] or {}).items():
            logger = build(node, key, Logger, directory=tmp_path, name="n", group="g", config=config)
            assert logger.save_dir is not None


def write_pictures(folder):
    from PIL import Image

    for i in range(40):
        Image.fromarray(np.full((9, 12, 3), i, np.uint8)).save(folder / f"{i:02d}.png")


def test_assemble_gives_each_seed_its_own_weights(compose_config):
    weights = [assemble(compose_config(f"seed={seed}")).model.encoder.net[0].weight for seed in (0, 0, 1)]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])
