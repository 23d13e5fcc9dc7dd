"""The causes' test table: on two data sets, runs that are made to have a cause, and healthy ones.

β stands as a multiple of the linear limit that ``theory`` gives for the same settings.
"""

from collections import Counter

import numpy as np
import pytest

from vae_lab.config.compose import compose_config
from vae_lab.runs.run import Run
from vae_lab.training.prediction import predict
from vae_lab.training.run import execute

STEPS = ("trainer.max_steps=600", "trainer.val_check_interval=60", "metrics.test.nll.k=0", "threads=1")
SLOW = ("optimizer=sgd", "optimizer.lr=1e-3")
LINEAR = ("encoder=linear", "decoder=linear", "optimizer.lr=0.01", "likelihood=gaussian", "likelihood.variance=0.05")
CONFUSED = 3  # of 24: as many as were seen
CASES = {  # (kind, β over the linear limit, overrides)
    "averaged": ("averaged", None, ["model.distortion_reduction=mean"]),
    "large variance": ("variance", None, ["likelihood=gaussian", "likelihood.variance=10"]),
    "large β": ("beta", 1.3, ["likelihood=bernoulli"]),
    "large β, Gaussian": ("beta", 1.3, ["likelihood=gaussian"]),
    "large β, learnt σ²": ("beta", 1.2, ["likelihood=gaussian_learned"]),
    "large β, optimal σ²": ("beta", 1.2, ["likelihood=gaussian_optimal"]),
    "large β, linear": ("beta", 1.2, LINEAR),
    "near": ("near", 0.9, ["likelihood=bernoulli", *SLOW]),
    "near, Gaussian": ("near", 0.9, ["likelihood=gaussian", *SLOW]),
    "20 steps": ("short", None, ["trainer.max_steps=20", "trainer.val_check_interval=10"]),
    "20 steps, learnt σ²": ("short", None, ["trainer.max_steps=20", "likelihood=gaussian_learned"]),
    "slow": ("short", None, ["optimizer.lr=1e-5"]),
    "schedule": ("schedule", None, ["annealing=linear", "annealing.steps=900", "optimizer.lr=1e-5"]),
    "diverged": ("learning_rate", None, ["optimizer.lr=10"]),
    "healthy": ("none", None, []),
    "healthy, low β": ("none", 0.15, ["likelihood=bernoulli"]),
    "healthy, warm-up": ("none", None, ["annealing=linear", "annealing.steps=300"]),
    "healthy, two dimensions": ("none", None, ["model.latent_dim=2"]),
    "healthy, Gaussian": ("none", 0.2, ["likelihood=gaussian"]),
    "healthy, learnt σ²": ("none", None, ["likelihood=gaussian_learned"]),
    "healthy, learnt σ², half the limit": ("none", 0.5, ["likelihood=gaussian_learned"]),
    "healthy, optimal σ², half the limit": ("none", 0.5, ["likelihood=gaussian_optimal"]),
    "healthy, linear": ("none", 0.2, LINEAR),
    "healthy, linear, near the limit": ("none", 0.8, LINEAR),
}


def colours(folder):
    """600 images (8, 8, 3) of a soft spot: its place, its colour and the brightness behind it vary."""
    rng = np.random.default_rng(0)
    place, colour, ground = rng.uniform(1, 6, (600, 2, 1, 1)), rng.random((600, 3, 1, 1)), rng.random((600, 1, 1, 1))
    y, x = np.mgrid[:8, :8]
    spot = np.exp(-((y - place[:, :1]) ** 2 + (x - place[:, 1:]) ** 2) / 4)
    images = (0.3 * ground + 0.7 * spot * colour).astype(np.float32).transpose(0, 2, 3, 1)
    np.savez(folder / "colours.npz", x_train=images[:400], x_val=images[400:500], x_test=images[500:])
    return ["data=npz", f"data.path={folder / 'colours.npz'}"]


def outcome(data, beta, overrides, folder):
    """The run of a case, and its diagnosis."""
    settings = [*data, *overrides]
    if beta is not None:
        settings.append(f"model.beta={beta * predict(settings).limit:.4g}")
    return Run(folder, execute(compose_config([*STEPS, *settings]), folder, {}))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "colours"])
def test_table(name, tmp_path):
    data = ["data=digits"] if name == "digits" else colours(tmp_path)
    found = {}
    for case, (kind, beta, overrides) in CASES.items():
        run = outcome(data, beta, overrides, tmp_path / case)
        found[case] = (kind, run.diagnosis.cause.kind)
        print(f"{name}: {case}: {kind} -> {run.diagnosis.cause}, {run.collapse}, {run.figure('rate')}")
    print(Counter(found.values()))
    confused = {case: pair for case, pair in found.items() if pair[0] != pair[1]}
    assert len(confused) <= CONFUSED, confused
    soft = {"none", "near", "short"}  # causes that are likely at most: how far 600 steps come is not known beforehand
    assert all({made, named} <= soft for made, named in confused.values()), confused
