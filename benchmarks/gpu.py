"""The GPU half of the benchmarks in one call: images a second of a run against the bare loop, eager and compiled.

    python benchmarks/gpu.py [--mnist DIR]             # under eight minutes on one GPU
    python benchmarks/gpu.py --steps 40                # without a GPU: the same at small sizes, on the CPU

Where there is a GPU it first trains with torch's synchronisation debug mode set to raise: a step that waits for the
device fails there. The modes of ``trainer.compile`` are tried one by one, and one that fails is a line, not an end.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from bare import bare_loop
from timing import report
from vae_lab.checks import one_line
from vae_lab.config.compose import compose_config
from vae_lab.training.run import execute

ON_GPU = torch.cuda.is_available()
WARM_UP = 0.5  # of a run's steps: compilation and the first allocations lie in it
SIZES = {"MLP, batch 128": ("data.batch_size=128",), "MLP, batch 1024": ("data.batch_size=1024",)}


class Pace(ProgressBar):
    """Times the second half of a training, and may have torch raise at each synchronisation within it.

    It stands in the place of the progress bar.
    """

    def __init__(self, strict: bool) -> None:
        super().__init__()
        self.strict, self.seconds = strict, 0.0

    def disable(self) -> None:
        """Required of every progress bar."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Begin at the middle of the run."""
        if batch_idx == int(trainer.max_steps * WARM_UP):
            settle()
            self.began = time.perf_counter()
            if self.strict:
                torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End before the last step's logging."""
        if batch_idx == trainer.max_steps - 2:
            if self.strict:
                torch.cuda.set_sync_debug_mode("default")
            settle()
            self.seconds = time.perf_counter() - self.began


def settle() -> None:
    """Wait for the device."""
    if ON_GPU:
        torch.cuda.synchronize()


def run_pace(config: Mapping[str, Any], strict: bool = False) -> float:
    """Seconds a step of a run, in its second half, without validations and logging."""
    pace, steps = Pace(strict), config["trainer"]["max_steps"]
    with tempfile.TemporaryDirectory() as directory:
        execute(config, Path(directory) / "run", {}, progress=pace)
    return pace.seconds / (steps - 1 - int(steps * WARM_UP))


def loop_pace(config: Mapping[str, Any], compiled: bool) -> float:
    """Seconds a step of the bare loop."""
    steps = config["trainer"]["max_steps"]
    loop = bare_loop(config, "cuda" if ON_GPU else "cpu", compiled)
    loop(max(steps // 2, 3))
    settle()
    began = time.perf_counter()
    loop(steps)
    settle()
    return (time.perf_counter() - began) / steps


def tried(call: Callable[[], float]) -> float | str:
    """What a call gives, or in one line why it gives nothing."""
    try:
        return call()
    except Exception as error:
        return one_line(error)


def compare(name: str, overrides: tuple[str, ...], rounds: int) -> list[dict[str, Any]]:
    """The rows of one size."""

    def composed(mode: str) -> dict[str, Any]:
        return compose_config([*overrides, f"trainer.compile={mode}"])

    ways: dict[str, Callable[[], float]] = {
        "bare loop, eager": lambda: loop_pace(composed("false"), compiled=False),
        "bare loop, compiled": lambda: loop_pace(composed("false"), compiled=True),
        "run, eager": lambda: run_pace(composed("false")),
        "run, compile=true": lambda: run_pace(composed("true")),
    }
    if ON_GPU:
        ways["run, compile=reduce-overhead"] = lambda: run_pace(composed("reduce-overhead"))
    batch = composed("false")["data"]["batch_size"]
    taken: dict[str, list[float | str]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            taken[way].append(tried(call))
    rows = []
    for way, found in taken.items():
        seconds = [value for value in found if isinstance(value, float)]
        per_second = batch / median(seconds) if seconds else float("nan")
        note = "" if len(seconds) == len(found) else str(next(value for value in found if isinstance(value, str)))
        rows.append({"what": f"{name}: {way}, images/s", "measured": per_second, "note": note})
    return rows


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", metavar="DIR", help="the data root that holds MNIST; digits without it")
    parser.add_argument("--steps", type=int, default=1000 if ON_GPU else 100)
    parser.add_argument("--rounds", type=int, default=3 if ON_GPU else 1)
    options = parser.parse_args()
    data = ("data=mnist", f"data.root={options.mnist}") if options.mnist else ("data=digits",)
    shared = (
        *("model=vae", "encoder.hidden=[400]", "decoder.hidden=[400]", "model.latent_dim=20", "metrics.test.nll.k=0"),
        *(f"trainer.max_steps={options.steps}", f"trainer.val_check_interval={options.steps}"),
        *(f"trainer.log_every_n_steps={options.steps}", "metrics.test.mutual_information_upper=null"),
        *(f"trainer.accelerator={'gpu' if ON_GPU else 'cpu'}", *data),
    )
    rows = []
    if ON_GPU:
        outcome = tried(lambda: run_pace(compose_config([*shared]), strict=True))
        note = "" if isinstance(outcome, float) else outcome
        rows.append({"what": "steps that wait for the device", "measured": float(bool(note)), "goal": 0, "note": note})
    for name, overrides in SIZES.items():
        rows += compare(name, (*shared, *overrides), options.rounds)
    report("gpu" if ON_GPU else "gpu_on_cpu", rows)


if __name__ == "__main__":
    main()
