"""How many models of a form fit into memory together."""

import os
from pathlib import Path

import torch
from torch import Tensor

from vae_lab.data import ImageData
from vae_lab.models import VAE

MOST = 256  # models in a stack
PART = 0.5  # of the free memory
COPIES = 4  # of the weights: they, their gradients, two moments
SLACK = 3  # what a step holds for a moment beside what it saves
MEMINFO = Path("/proc/meminfo")  # of Linux


def most_models(model: VAE, data: ImageData, device: torch.device) -> int:
    """How many models like this one may be trained together; at least one. The model's statistics move."""
    return int(min(max(PART * free_bytes(device) / bytes_of(model, data), 1), MOST))


def bytes_of(model: VAE, data: ImageData) -> int:
    """What the training of one model holds: its weights and their kin, and what a step saves for its gradients."""
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = model.own_precision(data.training_sample(data.batch_size))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model(x, model.noise_of_step(0, len(x))).loss
    del loss
    return COPIES * weights + SLACK * sum(saved.values())


def free_bytes(device: torch.device) -> int:
    """The free memory of a device; of this machine where it is the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    for line in MEMINFO.read_text().splitlines() if MEMINFO.exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
