"""The bare PyTorch loop that a run is compared with: the same networks, batch and optimizer, and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from vae_lab.training.assembly import assemble


def bare_loop(config: Mapping[str, Any], device: str = "cpu", compiled: bool = False) -> Callable[[int], None]:
    """A loop that trains so many steps: the data are one tensor on the device, noise is torch's own.

    Args:
        config: whose model is a plain VAE with a Bernoulli likelihood.
        device: where it trains.
        compiled: whether the loss is compiled.
    """
    parts = assemble(config)
    model, size = parts.model.to(device), parts.data.batch_size
    stored = parts.data.splits["train"].images
    images = torch.as_tensor(stored[:]).to(device).float()  # type: ignore[index]
    if stored.dtype == torch.uint8:
        images /= 255
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def loss_of(x: Tensor, noise: Tensor) -> Tensor:
        mean, log_variance = model.encoder(x)
        z = mean + (0.5 * log_variance).exp() * noise
        distortion = functional.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
        return (distortion + 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()) / size

    loss_at = torch.compile(loss_of) if compiled else loss_of

    def run(steps: int) -> None:
        order, at = torch.randperm(len(images), device=device), 0
        for _ in range(steps):
            if at + size > len(images):
                order, at = torch.randperm(len(images), device=device), 0
            x = images[order[at : at + size]]
            at += size
            loss = loss_at(x, torch.randn(size, model.latent_dim, device=device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run
