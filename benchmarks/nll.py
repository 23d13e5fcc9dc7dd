"""The importance-weighted NLL with K = 5,000 samples of 10,000 images of MNIST's size: its seconds and its memory.

    python benchmarks/nll.py [--full]

It is measured on a share of the images, and the seconds are those of all 10,000: they grow with the images. What the
images and the weights are makes no difference to time, so the model is untrained and the images are random. Memory is
what the process has held at most after K = 500, and after K = 5,000.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from configs import CONV, MLP
from results import Measurement, Row, measure
from timing import cpu, peak_memory
from vae_lab.config.compose import compose_config
from vae_lab.metrics import ImportanceWeightedNLL
from vae_lab.training.assembly import build_model
from vae_lab.training.measures import log_weights

IMAGES, K = 10_000, 5_000
SHAPE = (1, 28, 28)
NETWORKS = {"MLP": MLP, "conv": CONV}


def of_split(name: str, some: int, k: int, _: int, device: str = "cpu") -> list[Row]:
    """The seconds of all images, from those of some."""
    torch.set_num_threads(1)
    model, _ = build_model(compose_config(NETWORKS[name]), SHAPE)
    model = model.to(device).eval()
    few = seconds(model, some, k // 10)
    before = peak_memory()
    many = seconds(model, some, k)
    all_of_them = many * IMAGES / some
    clock = "CPU time, one thread" if device == "cpu" else torch.cuda.get_device_name()
    note = f"{clock}; from {some} images; {1e6 * all_of_them / IMAGES / k:.1f} µs a sample"
    return [
        Row(f"{name}, K = {k:,}, {IMAGES:,} images: s", all_of_them, note=note),
        Row(f"{name}: its seconds with K = {k:,} / K = {k // 10:,}", many / few),
        Row(f"{name}: most memory, K = {k:,} / K = {k // 10:,}", peak_memory() / before, at_most=1.05),
    ]


def seconds(model: torch.nn.Module, images: int, k: int) -> float:
    """Seconds of the metric; on the CPU those of the processor."""
    metric, indices = ImportanceWeightedNLL(partial(log_weights, model), k=k), torch.arange(images)
    x = torch.rand(images, *SHAPE, generator=torch.Generator().manual_seed(0)).to(model.kl_weight.device)
    with torch.no_grad():
        if x.device.type == "cpu":
            return cpu(lambda: metric.nll(x, indices))
        began = time.perf_counter()
        metric.nll(x, indices).sum().item()
        return time.perf_counter() - began


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    some, k = (4, 200) if options.small else (300 if options.full else 50, K)
    for name in NETWORKS if options.full or options.small else ("MLP",):
        yield Measurement(f"{name}, {some} images", partial(of_split, name, some, k))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("nll", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
