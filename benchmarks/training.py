"""A whole run against a bare PyTorch loop, and against pythae's trainer where that is installed; CPU time, in turn.

    python benchmarks/training.py                      # digits
    python benchmarks/training.py --mnist DIR          # MNIST too, in torchvision's layout
    python benchmarks/training.py --mnist DIR --full   # at the lengths of the goals: minutes

A run has a part that grows with its steps and a part that does not (its ten validations, its test and its files do not
get longer). Without ``--full`` MNIST is run at two short lengths, which give both parts; the ratio is then worked out
for 6,000 steps, validated every 600.
"""

import argparse
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch

from bare import bare_loop
from timing import cpu, in_turn, ratio, report
from vae_lab.config.compose import compose_config
from vae_lab.training.assembly import assemble
from vae_lab.training.run import execute

MLP = ("model=vae", "encoder.hidden=[400]", "decoder.hidden=[400]", "model.latent_dim=20", "data.batch_size=128")
LONG = 6000


def ours(config: dict[str, Any]) -> float:
    """CPU seconds of a whole run."""
    with tempfile.TemporaryDirectory() as directory:
        return cpu(lambda: execute(config, Path(directory) / "run", {}))


def bare(config: dict[str, Any], steps: int) -> float:
    """CPU seconds of the bare loop."""
    loop = bare_loop(config)
    return cpu(lambda: loop(steps))


def composed(overrides: tuple[str, ...], steps: int, threads: int) -> dict[str, Any]:
    """The config of a run."""
    about = (f"trainer.max_steps={steps}", f"threads={threads}", "trainer.accelerator=cpu")
    return compose_config([*overrides, *about])


def whole(name: str, overrides: tuple[str, ...], steps: int, goal: float, rounds: int, threads: int) -> list[Any]:
    """The rows of one comparison at its full length."""
    config = composed(overrides, steps, threads)
    ours(composed(overrides, 20, threads))  # what is loaded once
    taken = in_turn({"loop": lambda: bare(config, steps), "run": lambda: ours(config)}, rounds)
    note = f"loop {1000 * median(taken['loop']) / steps:.2f} ms a step, run {1000 * median(taken['run']) / steps:.2f}"
    what = f"{name}, {steps} steps: run / loop"
    return [{"what": what, "measured": ratio(taken, "run", "loop"), "goal": goal, "note": note}]


def in_parts(name: str, overrides: tuple[str, ...], goal: float, rounds: int, threads: int, short: int) -> list[Any]:
    """The rows of a comparison that is worked out from two short lengths."""
    lengths = {"short": short, "longer": 3 * short}
    calls: dict[str, Callable[[], float]] = {}
    for label, steps in lengths.items():
        config = composed(overrides, steps, threads)
        calls[f"loop {label}"] = lambda config=config, steps=steps: bare(config, steps)
        calls[f"run {label}"] = lambda config=config: ours(config)
    ours(composed(overrides, 20, threads))
    taken = in_turn(calls, rounds)
    step, fixed = {}, {}
    for kind in ("loop", "run"):
        pairs = list(zip(taken[f"{kind} short"], taken[f"{kind} longer"], strict=True))
        step[kind] = median((longer - first) / (2 * short) for first, longer in pairs)
        fixed[kind] = median(first - short * step[kind] for first, _ in pairs)
    measured = (fixed["run"] + LONG * step["run"]) / (LONG * step["loop"])
    note = f"loop {1000 * step['loop']:.2f} ms a step; run {1000 * step['run']:.2f}, and {fixed['run']:.1f} s once"
    what = f"{name}, {LONG} steps, from {short} and {3 * short}: run / loop"
    return [{"what": what, "measured": measured, "goal": goal, "note": note}]


def against_pythae(root: str, steps: int, rounds: int, threads: int) -> list[Any]:
    """The row of the comparison with pythae's trainer, without its evaluation; none where it is not installed."""
    if find_spec("pythae") is None:
        print("note: pythae is not installed, so it is left out: pip install pythae==0.1.2")
        return []
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    same = ("encoder.hidden=[512]", "decoder.hidden=[512]")  # as pythae's MLP is built
    config = composed((*MLP, *same, "data=mnist", f"data.root={root}"), steps, threads)
    images = assemble(config).data.splits["train"].images[: steps * 128].float() / 255  # type: ignore[index]

    def theirs() -> float:
        with tempfile.TemporaryDirectory() as directory:
            settings = BaseTrainerConfig(
                output_dir=directory, num_epochs=1, per_device_train_batch_size=128, no_cuda=True, learning_rate=1e-3
            )
            model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce"))
            trainer = BaseTrainer(model, BaseDataset(images, torch.zeros(len(images))), training_config=settings)
            return cpu(trainer.train)

    taken = in_turn({"pythae": theirs, "run": lambda: ours(config)}, rounds)
    note = f"its own evaluation off, ours on; {1000 * median(taken['pythae']) / steps:.2f} ms a step"
    what = f"MNIST MLP, {steps} steps: pythae / run"
    return [{"what": what, "measured": ratio(taken, "pythae", "run"), "goal": 1.25, "note": note}]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", metavar="DIR", help="the data root that holds MNIST")
    parser.add_argument("--full", action="store_true", help="train MNIST for all its 6,000 steps, and the conv network")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--short", type=int, default=150, help="the shorter of the two lengths")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    told = options.rounds, options.threads
    rows = whole("digits", ("model=vae", "data=digits"), 1500, 1.7, *told)
    if options.mnist:
        mnist = ("data=mnist", f"data.root={options.mnist}", *MLP)
        if options.full:
            rows += whole("MNIST MLP", mnist, LONG, 1.2, *told)
            conv = (*mnist[:2], "model=vae", "encoder=conv", "decoder=conv", "data.batch_size=128")
            rows += in_parts("MNIST conv", conv, 1.2, *told, short=60)
        else:
            rows += in_parts("MNIST MLP", mnist, 1.2, *told, short=options.short)
        rows += against_pythae(options.mnist, 400, *told)
    report("training", rows)


if __name__ == "__main__":
    main()
