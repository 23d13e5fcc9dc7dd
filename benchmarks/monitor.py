"""What ``vae_lab.CollapseMonitor`` costs: CPU time in it, beside that of a training in a plain loop.

    python benchmarks/monitor.py [--mnist DIR]

Both are measured within one training, so that what else the machine does counts little.
"""

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

import vae_lab
from configs import mnist
from results import Measurement, Row, measure
from vae_lab.config.compose import compose_config
from vae_lab.elbo.divergences import kl_standard_normal
from vae_lab.training.assembly import assemble

HIDDEN, LATENT_DIM, BATCH = 400, 20, 128
EVERY = 100  # steps from one measurement to the next


class MLP(nn.Module):
    """A VAE with one hidden layer on each side."""

    def __init__(self, pixels: int, hidden: int, latent_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def train(model: MLP, images: Tensor, steps: int, monitor: vae_lab.CollapseMonitor) -> tuple[float, float]:
    """Train it; CPU seconds of all, and of the monitor."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    watching, began = 0.0, time.process_time()
    for _ in range(steps):
        x = images[torch.randint(len(images), (BATCH,))]
        mean, log_variance = model.encode(x)
        stddev = (0.5 * log_variance).exp()
        logits = model.decode(mean + stddev * torch.randn_like(stddev))
        distortion = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        loss = distortion + kl_standard_normal(mean, stddev).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watched = time.process_time()
        monitor.update(x)
        watching += time.process_time() - watched
    return time.process_time() - began, watching


def share(what: str, overrides: Sequence[str], steps: int, _: int) -> list[Row]:
    """The monitor's share of a training."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = assemble(compose_config(overrides)).data.training_sample().flatten(1)
    model = MLP(images.shape[1], HIDDEN, LATENT_DIM)
    monitor = vae_lab.CollapseMonitor(model.encode, model.decode, likelihood="bernoulli", output="logits", every=EVERY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of collapse
        total, watching = train(model, images, steps, monitor)
    note = f"{len(monitor.history)} measurements in {steps:,} steps, {watching:.2f} s"
    return [
        Row(f"{what}: CollapseMonitor, % of the training", 100 * watching / (total - watching), at_most=10, note=note)
    ]


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    steps = 20 if options.small else 1500
    yield Measurement("digits", partial(share, "digits MLP", ("data=digits",), steps))
    if options.mnist:
        yield Measurement("MNIST", partial(share, "MNIST MLP", mnist(options.mnist), steps))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("monitor", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
