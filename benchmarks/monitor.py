"""What ``vae_lab.CollapseMonitor`` costs: CPU time in it, beside that of a training in a plain loop.

    python benchmarks/monitor.py --data digits
    python benchmarks/monitor.py --data mnist --root DIR --steps 1500

Both are measured within one training, so that what else the machine does counts little.
"""

import argparse
import os
import time
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

import vae_lab
from vae_lab.config.compose import compose_config
from vae_lab.elbo.divergences import kl_standard_normal
from vae_lab.training.assembly import assemble


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


def train(
    model: MLP, images: Tensor, options: argparse.Namespace, monitor: vae_lab.CollapseMonitor
) -> tuple[float, float]:
    """Train it; CPU seconds of all, and of the monitor."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    watching, began = 0.0, time.process_time()
    for step in range(options.steps):
        x = images[torch.randint(len(images), (options.batch_size,))]
        mean, log_variance = model.encode(x)
        stddev = (0.5 * log_variance).exp()
        logits = model.decode(mean + stddev * torch.randn_like(stddev))
        distortion = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        beta = options.beta if step >= options.collapse_at else 1.0
        loss = distortion + beta * kl_standard_normal(mean, stddev).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watched = time.process_time()
        monitor.update(x)
        watching += time.process_time() - watched
    return time.process_time() - began, watching


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="a data set of conf/data (default: digits)")
    parser.add_argument("--root", default=os.environ.get("VAE_LAB_DATA"), help="data root (default: VAE_LAB_DATA)")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--hidden", type=int, default=400)
    parser.add_argument("--latent-dim", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--every", type=int, default=100, help="steps from one measurement to the next")
    parser.add_argument("--beta", type=float, default=1.0, help="the weight of the KL from --collapse-at on")
    parser.add_argument("--collapse-at", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    root = [f"data.root={options.root}"] if options.root and options.data != "digits" else []
    images = assemble(compose_config([f"data={options.data}", *root])).data.training_sample().flatten(1)
    model = MLP(images.shape[1], options.hidden, options.latent_dim)
    told = {"likelihood": "bernoulli", "output": "logits", "every": options.every}
    monitor = vae_lab.CollapseMonitor(model.encode, model.decode, **told)
    with warnings.catch_warnings(record=True) as caught:
        total, watching = train(model, images, options, monitor)
    training = total - watching
    print(
        f"{options.data}, MLP with {options.hidden} hidden units, batch {options.batch_size}, {options.steps} steps: "
        f"training {training:.2f} s, monitor {watching:.2f} s of CPU time in {len(monitor.history)} measurements, "
        f"{100 * watching / training:.1f} % of the training"
    )
    print(", ".join(f"step {m.step}: KL {m.rate:.2f}, gap {m.gap:.2f}" for m in monitor.history))
    for warning in caught:
        print(f"{warning.category.__name__}: {warning.message}")


if __name__ == "__main__":
    main()
