"""(ε, δ)-collapse: dimensions whose posterior hardly leaves the prior, for nearly all images."""

import torch
from torch import Tensor
from torchmetrics import Metric

from vae_lab.checks import number

ROUNDING = 1e-12  # 1 - δ in floating point can lie above the same fraction of whole numbers


def below(rate: Tensor, epsilon: float) -> Tensor:
    """The fraction of images whose ``rate`` (N, D) lies below ``epsilon``, both in nats: (D,), float64.

    Example:
        >>> below(torch.tensor([[0.0, 2.0], [3.0, 2.0]]), epsilon=0.01)
        tensor([0.5000, 0.0000], dtype=torch.float64)
    """
    return (rate < epsilon).double().mean(0)


class EpsilonDeltaCollapse(Metric):
    """How many dimensions are (ε, δ)-collapsed (Lucas et al. 2019).

    Dimension i is when P_x[ KL( q(z_i|x) ‖ p(z_i) ) < ε ] >= 1 - δ

    ``update`` takes ``rate`` (B, D), nats; ``compute`` gives ``below_epsilon_dim`` (D,), the fraction of images below
    ε, and ``collapsed_units`` (), the number of collapsed dimensions. It sees posteriors only: a rate that is high by
    construction hides a decoder that ignores z.

    Args:
        latent_dim: D.
        epsilon: ε > 0, nats.
        delta: δ in [0, 1], the fraction of images that may spend more.

    Raises:
        ValueError: when ε or δ lies outside.

    Example:
        >>> metric = EpsilonDeltaCollapse(latent_dim=2)
        >>> metric.update(torch.tensor([[0.0, 2.0], [0.0, 3.0]]))
        >>> metric.compute()["collapsed_units"]
        tensor(1)
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, latent_dim: int, epsilon: float = 0.01, delta: float = 0.01) -> None:
        super().__init__()
        self.set_dtype(torch.float64)
        self.epsilon, self.delta = number("epsilon", epsilon, above=0), number("delta", delta, low=0, high=1)
        self.add_state("total", torch.zeros(latent_dim, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, rate: Tensor) -> None:
        self.total += len(rate) * below(rate, self.epsilon)
        self.count += len(rate)

    def compute(self) -> dict[str, Tensor]:
        fraction = self.total / self.count
        collapsed = fraction >= 1 - self.delta - ROUNDING
        return {"below_epsilon_dim": fraction, "collapsed_units": collapsed.sum()}
