"""The true ELBO and its two halves, averaged over a whole split."""

import torch
from torch import Tensor
from torchmetrics import Metric


class RateDistortion(Metric):
    """The true ELBO and its halves (Alemi et al. 2018), nats per image, whatever the loss weighs.

    elbo = -(rate + distortion)

    ``update`` takes ``loss`` (), ``rate`` (B, D) and ``distortion`` (B,); ``compute`` gives ``elbo``, ``rate``,
    ``distortion``, ``loss`` (), nats per image, and ``rate_dim`` (D,), nats per dimension, in float64.

    Args:
        latent_dim: D.

    Example:
        >>> metric = RateDistortion(latent_dim=2)
        >>> metric.update(torch.tensor(12.0), rate=torch.ones(4, 2), distortion=torch.full((4,), 10.0))
        >>> metric.compute()["elbo"].item()
        -12.0
    """

    higher_is_better = None
    full_state_update = False
    rate_dim: Tensor
    distortion: Tensor
    loss: Tensor
    count: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        self.add_state("rate_dim", torch.zeros(latent_dim, dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("distortion", "loss", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, loss: Tensor, rate: Tensor, distortion: Tensor) -> None:
        self.rate_dim += rate.double().sum(0)
        self.distortion += distortion.double().sum()
        self.loss += loss.double() * len(rate)
        self.count += len(rate)

    def compute(self) -> dict[str, Tensor]:
        rate_dim, distortion = self.rate_dim / self.count, self.distortion / self.count
        rate = rate_dim.sum()
        return {
            "elbo": -rate - distortion,
            "rate": rate,
            "distortion": distortion,
            "loss": self.loss / self.count,
            "rate_dim": rate_dim,
        }
