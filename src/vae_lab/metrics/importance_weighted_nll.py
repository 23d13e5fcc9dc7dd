"""Importance-weighted negative log-likelihood."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from vae_lab.checks import integer

SAMPLES = 100  # drawn at a time for each image: memory does not grow with K


def importance_weighted_nll(log_weights: Tensor) -> Tensor:
    """Bound -log p(x) from above by K importance samples (Burda et al. 2016): (B,), nats per image.

    nll_b = -log 1/K Σ_k w_kb,   w_kb = p(x_b, z_k) / q(z_k|x_b),   z_k ~ q(z|x_b)

    An upper bound in expectation, tighter as K grows. ``log_weights`` (K, B) are log w.

    Example:
        >>> importance_weighted_nll(torch.tensor([[0.25], [0.75]]).log()).exp()  # 1 / mean(w)
        tensor([2.0000])
    """
    return math.log(len(log_weights)) - log_weights.logsumexp(0)


class ImportanceWeightedNLL(Metric):
    """The mean of ``importance_weighted_nll`` over a split.

    ``update`` takes ``x`` (B, C, H, W) and ``indices`` (B,); ``compute`` gives ``nll`` (), nats per image.

    Args:
        log_weights: maps images x (B, C, H, W), their indices (B,) and the numbers of the samples (k,) to log w
            (k, B). What it draws must depend on index and number alone: then no batch size changes the figure.
        k: importance samples K; 0 leaves the figure out.
        chunk: how many samples are asked for at a time.

    Raises:
        ValueError: when ``k`` or ``chunk`` is no whole number, or below 0 or 1.

    Example:
        >>> def log_weights(x, indices, samples):  # weights 1, 2, 3, ... whatever the image
        ...     return (samples + 1.0).log()[:, None].expand(-1, len(x))
        >>> metric = ImportanceWeightedNLL(log_weights, k=3)
        >>> metric.update(torch.zeros(2, 1, 4, 4), torch.arange(2))
        >>> round(metric.compute()["nll"].exp().item(), 6)  # 1 / mean(w)
        0.5
    """

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(
        self, log_weights: Callable[[Tensor, Tensor, Tensor], Tensor], k: int = 50, chunk: int = SAMPLES
    ) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        self.log_weights = log_weights
        self.k, self.chunk = integer("k", k, low=0), integer("chunk", chunk)
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, x: Tensor, indices: Tensor) -> None:
        if not self.k:
            return
        weights = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)  # log Σ w so far
        for samples in torch.arange(self.k).split(self.chunk):
            weights = torch.logaddexp(weights, self.log_weights(x, indices, samples).double().logsumexp(0))
        self.total += (math.log(self.k) - weights).sum()
        self.count += len(x)

    def compute(self) -> dict[str, Tensor]:
        return {"nll": self.total / self.count} if self.k else {}
