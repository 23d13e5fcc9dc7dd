"""Importance-weighted negative log-likelihood."""

import math

import torch
from torch import Tensor
from torchmetrics import Metric


def importance_weighted_nll(log_weights: Tensor) -> Tensor:
    """-log 1/K Σ_k w_k for each image (Burda et al. 2016, equation 8).

    ``log_weights`` (K, B) are log p(x,z_k) - log q(z_k|x), z_k ~ q(z|x); returns (B,), nats per image: an upper bound
    of -log p(x) in expectation, tighter as K grows.
    """
    return math.log(len(log_weights)) - log_weights.logsumexp(0)


class ImportanceWeightedNLL(Metric):
    """The mean of ``importance_weighted_nll`` over a split; ``update`` takes ``log_weights`` (K, B)."""

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, log_weights: Tensor) -> None:
        self.total += importance_weighted_nll(log_weights.double()).sum()
        self.count += log_weights.shape[1]

    def compute(self) -> dict[str, Tensor]:
        return {"nll": self.total / self.count}
