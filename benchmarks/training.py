"""A whole run against a bare PyTorch loop, and against pythae's trainer where that is installed, in turn.

    python benchmarks/training.py                      # digits
    python benchmarks/training.py --mnist DIR          # MNIST too, in torchvision's layout
    python benchmarks/training.py --mnist DIR --full   # at the lengths of the goals, and convolutions: an hour

With one thread CPU time is compared, with two the time by the clock. A run has a part that grows with its steps and a
part that does not (its ten validations, its test and its files do not get longer). What would take too long is run at
two short lengths, which give both parts; the ratio is then worked out for 6,000 steps. pythae does not evaluate here,
while ours does.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from functools import partial
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from bare import bare_loop
from configs import CONV, MLP, mnist
from results import Measurement, Row, measure
from timing import clock, cpu, in_turn, python, ratio
from vae_lab.config.compose import compose_config
from vae_lab.training.assembly import assemble
from vae_lab.training.run import execute

LIKE_PYTHAE = (*MLP, "encoder.hidden=[512]", "decoder.hidden=[512]")  # as its MLP is built
DIGITS, LONG = 1500, 6000  # steps of the goals
WARM_UP = 20  # steps, in which is loaded what is loaded once; ten of them are validated, as in a long run
PEAK = """
import sys
from pathlib import Path
from timing import peak_memory
from vae_lab.config.compose import compose_config
from vae_lab.training.run import execute
execute(compose_config(sys.argv[1:]), Path("run"), {})
print(peak_memory())
"""

Trained = Callable[[int], float]  # steps to seconds


class Cost(NamedTuple):
    """Seconds of a training: once, and for each step."""

    once: float
    step: float

    def of(self, steps: int) -> float:
        """Of a whole training."""
        return self.once + self.step * steps


def ours(overrides: Sequence[str], threads: int, steps: int) -> float:
    """Seconds of a whole run."""
    config = composed(overrides, threads, steps)
    with tempfile.TemporaryDirectory() as directory:
        return timer(threads)(lambda: execute(config, Path(directory) / "run", {}))


def bare(overrides: Sequence[str], threads: int, steps: int) -> float:
    """Seconds of the bare loop."""
    torch.set_num_threads(threads)
    loop = bare_loop(composed(overrides, threads, steps))
    return timer(threads)(lambda: loop(steps))


def pythae(overrides: Sequence[str], threads: int, steps: int) -> float:
    """Seconds of pythae's trainer, without its evaluation, with the same network, data and batches."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    torch.set_num_threads(threads)
    data = assemble(composed(overrides, threads, steps)).data
    size, stored = data.batch_size, data.splits["train"].images
    chosen = torch.arange(steps * size) % len(stored)  # one epoch of as many steps
    images = BaseDataset(stored[chosen].float() / 255, torch.zeros(len(chosen)))  # type: ignore[index]
    model = VAE(VAEConfig(input_dim=data.image_shape, latent_dim=20, reconstruction_loss="bce"))
    logging.disable(logging.WARNING)  # its words, and its progress bar
    with tempfile.TemporaryDirectory() as directory, redirect_stderr(StringIO()):
        about = {"num_epochs": 1, "per_device_train_batch_size": size, "no_cuda": True, "learning_rate": 1e-3}
        trainer = BaseTrainer(model, images, training_config=BaseTrainerConfig(output_dir=directory, **about))
        seconds = timer(threads)(trainer.train)
    logging.disable(logging.NOTSET)
    return seconds


def timer(threads: int) -> Callable[[Callable[[], Any]], float]:
    """CPU time of one thread; two threads are there to make the clock's time shorter."""
    return cpu if threads == 1 else clock


def composed(overrides: Sequence[str], threads: int, steps: int) -> dict[str, Any]:
    """The config of a run."""
    about = ("model=vae", f"trainer.max_steps={steps}", f"threads={threads}", "trainer.accelerator=cpu")
    return compose_config([*overrides, *about])


def whole(what: str, ways: Mapping[str, Trained], steps: int, goal: dict[str, float], rounds: int) -> list[Row]:
    """The ratio of the two ways at full length."""
    for train in ways.values():
        train(WARM_UP)
    taken = in_turn({name: partial(train, steps) for name, train in ways.items()}, rounds)
    one, other = ways
    each = (f"{name} {1000 * median(found) / steps:.2f}" for name, found in taken.items())
    return [Row(f"{what}, {steps:,} steps: {one} / {other}", ratio(taken, one, other), **goal, note=per_step(each))]


def in_parts(what: str, ways: Mapping[str, Trained], short: int, goal: dict[str, float], rounds: int) -> list[Row]:
    """The same, worked out from two short lengths."""
    for train in ways.values():
        train(WARM_UP)
    calls = {f"{name} {steps}": partial(train, steps) for name, train in ways.items() for steps in (short, 3 * short)}
    taken = in_turn(calls, rounds)
    costs = {name: cost(taken[f"{name} {short}"], taken[f"{name} {3 * short}"], short) for name in ways}
    one, other = ways
    each = (f"{name} {1000 * found.step:.2f} and {found.once:.1f} s once" for name, found in costs.items())
    measured = costs[one].of(LONG) / costs[other].of(LONG)
    where = f"from {short} and {3 * short}"
    return [Row(f"{what}, {LONG:,} steps, {where}: {one} / {other}", measured, **goal, note=per_step(each))]


def per_step(each: Iterator[str]) -> str:
    """The note."""
    return "ms a step: " + ", ".join(each)


def cost(first: Sequence[float], longer: Sequence[float], short: int) -> Cost:
    """What ``short`` steps and three times as many took, in two parts."""
    step = (median(longer) - median(first)) / (2 * short)
    return Cost(median(first) - short * step, step)


def peak(root: str, steps: int, _: int) -> list[Row]:
    """The memory of a process that trains on MNIST with all that a run does."""
    about = (*mnist(root), *MLP, "model=vae", "trainer.accelerator=cpu", f"trainer.max_steps={steps}")
    script = f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\n{PEAK}"
    megabytes = float(python("-c", script, *about).output.split()[-1])
    return [Row(f"MNIST MLP, {steps} steps with validation and test: peak, MB", megabytes, at_most=1500)]


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    digits, short = (40, 20) if options.small else (DIGITS, 400)
    close = {"at_most": 1.2}
    for threads in (1, 2):
        ways = both(("data=digits",), threads)
        name = f"digits, {threads} thread{'s' * (threads > 1)}"
        yield Measurement(name, partial(whole, name, ways, digits, {"at_most": 1.7}), rounds=3)
    if not options.mnist:
        print("left out: MNIST (--mnist DIR)")
        return
    yield Measurement("memory", partial(peak, options.mnist, 40 if options.small else 300))
    yield from against_pythae((*mnist(options.mnist), *LIKE_PYTHAE), short)
    for threads in (1, 2):
        name = f"MNIST MLP, {threads} thread{'s' * (threads > 1)}"
        ways = both((*mnist(options.mnist), *MLP), threads)
        if options.full and not options.small:
            yield Measurement(f"{name}, whole", partial(whole, name, ways, LONG, close), rounds=3)
        elif threads == 1 or options.small:
            yield Measurement(f"{name}, in parts", partial(in_parts, name, ways, short, close), rounds=3)
        if options.full or options.small:
            conv = f"MNIST conv, {threads} thread{'s' * (threads > 1)}"
            call = partial(in_parts, conv, both((*mnist(options.mnist), *CONV), threads), max(short // 2, 20), close)
            yield Measurement(conv, call, rounds=3)


def both(overrides: Sequence[str], threads: int) -> dict[str, Trained]:
    """A run and the bare loop."""
    return {"run": partial(ours, overrides, threads), "loop": partial(bare, overrides, threads)}


def against_pythae(overrides: Sequence[str], short: int) -> Iterator[Measurement]:
    """The comparison with pythae, where it is installed."""
    if find_spec("pythae") is None:
        print("left out: pythae is not installed (pip install pythae==0.1.2)")
        return
    ways = {"pythae": partial(pythae, overrides, 1), "run": partial(ours, overrides, 1)}
    call = partial(in_parts, "MNIST MLP, 1 thread", ways, short, {"at_least": 1.25})
    yield Measurement("pythae", call, rounds=3)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("training", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
