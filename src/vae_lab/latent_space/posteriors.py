"""The posteriors of a split's images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_lab.data import ImageData
from vae_lab.models import VAE


@dataclass(frozen=True)
class Posteriors:
    """The Gaussians q(z|x) of N images of a split, in the order of the split.

    Args:
        mean: (N, D).
        stddev: (N, D).
        rate: KL(q(z_j|x) ‖ p(z_j)), (N, D), nats.
        labels: (N,), where the data have them.
        factors: (N, F), whole numbers, likewise.

    Example:
        >>> zeros = torch.zeros(2, 3)
        >>> found = Posteriors(zeros, zeros + 1, torch.tensor([[0.0, 2.0, 1.0], [0.0, 4.0, 1.0]]))
        >>> found.rate_dim.tolist(), found.by_use
        ([0.0, 3.0, 1.0], [1, 2, 0])
    """

    mean: Tensor
    stddev: Tensor
    rate: Tensor
    labels: Tensor | None = None
    factors: Tensor | None = None

    @property
    def rate_dim(self) -> Tensor:
        """The rate of each dimension, (D,), nats per image."""
        return self.rate.mean(0)

    @property
    def by_use(self) -> list[int]:
        """The dimensions, the one with the highest rate first."""
        order: list[int] = torch.argsort(self.rate_dim, descending=True, stable=True).tolist()
        return order


@torch.no_grad()
def posteriors(model: VAE, data: ImageData, split: str = "test", limit: int | None = None) -> Posteriors:
    """Encode the images of a split, or the first ``limit`` of them.

    The rate of a dimension is that of the model's prior, given the dimensions before it where the prior ties them.
    """
    indices = torch.cat(data.eval_cuts(split))[:limit]
    parts, known = [], []
    for chosen in indices.split(data.eval_batch_size):
        batch = data.batch(split, chosen)
        q = model.encode(batch.x.to(model.device))
        parts.append((q.mean.cpu(), q.stddev.cpu(), model.prior.rate(q.mean, q.stddev).cpu()))
        known.append((batch.labels, batch.factors))
    labels, factors = (torch.cat(part) if part[0] is not None else None for part in zip(*known, strict=True))
    mean, stddev, rate = map(torch.cat, zip(*parts, strict=True))
    return Posteriors(mean, stddev, rate, labels, factors)
