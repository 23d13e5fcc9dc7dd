"""Two processes against one, with the same batches: the largest difference of parameters and of figures, per variant.

The parameters are those after 30 steps in float64, the figures all those of ``result.json`` after 30 steps in float32.
In exact arithmetic there is no difference; sums over a batch are taken in another order. BN-VAE magnifies that: a bias
before a batch normalisation has a gradient of zero but for rounding, of which Adam makes whole steps. They leave the
training as it is, but the running mean of evaluation follows them late.

Run it as ``python benchmarks/ddp_equality.py [VARIANT ...]``; it takes about half a minute a variant.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from vae_lab.config.compose import compose_config
from vae_lab.runs.result import Result
from vae_lab.training.run import execute

STEPS = 30
INFO = ("model=info_vae", "model.lambd=10")
# floors and targets are such that the rate crosses them in these steps, and parts of a batch lie on either side
VARIANTS: dict[str, Sequence[str]] = {
    "vae": ("model=vae",),
    "beta_vae": ("model.beta=4",),
    "delta_vae ar1": ("model=delta_vae",),
    "delta_vae independent": ("model=delta_vae", "model.variant=independent"),
    "info_vae biased": INFO,
    "info_vae unbiased": (*INFO, "model.estimator=unbiased"),
    "info_vae median": (*INFO, "model.bandwidth=median"),
    "bn_vae": ("model=bn_vae",),
    "free bits dimension": ("free_bits=dimension", "free_bits.epsilon=0.17"),
    "free bits sample": ("free_bits=sample", "free_bits.epsilon=0.17"),
    "free bits total": ("free_bits=total", "free_bits.epsilon=0.6"),
    "capacity": ("annealing=capacity", "annealing.steps=20", "annealing.capacity=0.6"),
    "adaptive": ("free_bits=adaptive", "free_bits.target=0.6", "free_bits.every=2"),
    "control pi": ("control=pi", "control.target=0.6", "control.kp=1"),
    "control geco": ("control=geco", "control.target=30", "control.speed=0.5"),
    "gaussian_optimal": ("likelihood=gaussian_optimal",),
    "aggressive": ("inference=aggressive", "inference.window=3"),
    "dynamic binarization": ("data.binarize=dynamic",),
}
SHORT = (
    *(f"trainer.max_steps={STEPS}", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5"),
    *("trainer.accelerator=cpu", "threads=1", "metrics.test.nll.k=5"),
)


class Outcome(NamedTuple):
    """What a run leaves."""

    parameters: dict[str, torch.Tensor]
    figures: dict[str, list[float]]


def run(overrides: Sequence[str], devices: int, precision: str) -> Outcome:
    """Train on so many devices."""
    config = compose_config([*SHORT, *overrides, f"trainer.devices={devices}", f"trainer.precision={precision}"])
    with TemporaryDirectory() as folder:
        execute(config, Path(folder), overrides={})
        figures = Result.read(Path(folder)).metrics
        weights = torch.load(Path(folder) / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return Outcome(weights, {name: torch.tensor(value).flatten().tolist() for name, value in figures.items()})


def apart(one: Mapping[str, Sequence[float]], two: Mapping[str, Sequence[float]]) -> tuple[float, str]:
    """The largest difference of two sets of figures, relative to the figure where that is above 1, and where it is."""
    assert one.keys() == two.keys()
    found = [(abs(a - b) / max(abs(a), 1.0), name) for name in one for a, b in zip(one[name], two[name], strict=True)]
    return max(found)


def parameters_apart(overrides: Sequence[str]) -> float:
    """The largest difference of a parameter or buffer, in float64."""
    one, two = (run(overrides, devices, "64-true").parameters for devices in (1, 2))
    assert one.keys() == two.keys()
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def figures_apart(overrides: Sequence[str]) -> tuple[float, str]:
    """The largest difference of a figure in float32, and the figure's name."""
    one, two = (run(overrides, devices, "32-true").figures for devices in (1, 2))
    return apart(one, two)


def main(names: Sequence[str]) -> None:
    print(f"{'variant':<24}{'parameters, float64':>20}{'figures, float32':>20}  where")
    for name in names or VARIANTS:
        figures, where = figures_apart(VARIANTS[name])
        print(f"{name:<24}{parameters_apart(VARIANTS[name]):>20.1e}{figures:>20.1e}  {where}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
