"""Active units: dimensions whose posterior mean moves with the image."""

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

THRESHOLD = 0.01


def active_units(mean: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """The number of dimensions where Var_x E_q[z|x] > ``threshold`` (Burda et al. 2016, appendix C): ().

    ``mean`` (N, D) holds the posterior means of a whole split; the variance is the biased one, 1/N.
    """
    return (mean.var(0, correction=0) > threshold).sum()


class ActiveUnits(Metric):
    """``active_units`` over a whole split; ``update`` takes ``mean`` (B, D)."""

    full_state_update = False
    means: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("means", [], dist_reduce_fx="cat")

    def update(self, mean: Tensor) -> None:
        self.means.append(mean.double())

    def compute(self) -> dict[str, Tensor]:
        return {"active_units": active_units(dim_zero_cat(self.means))}
