"""Active units: dimensions whose posterior mean moves with the image."""

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from vae_lab.checks import integer

THRESHOLD = 0.01


def active_units(mean: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Count the dimensions whose posterior mean varies over the images (Burda et al. 2016, appendix C): ().

    active_units = #{ i : Var_x E_q[z_i|x] > threshold }

    ``mean`` (N, D) holds the posterior means of a whole split; the variance is the biased one, 1/N.

    Example:
        >>> import torch
        >>> active_units(torch.tensor([[0.0, 5.0], [1.0, 5.0]]))  # the second never moves
        tensor(1)
    """
    return (mean.var(0, correction=0) > threshold).sum()


class ActiveUnits(Metric):
    """``active_units`` over a whole split.

    ``update`` takes ``mean`` (B, D); ``compute`` gives ``active_units`` ().

    Args:
        units: count these many units of D / units neighbouring dimensions each, such as the channels of a spatial
            latent; one is active when any of its dimensions is. None: each dimension is one.

    Raises:
        ValueError: when ``units`` is not a whole number >= 1.

    Example:
        >>> import torch
        >>> metric = ActiveUnits()
        >>> metric.update(torch.tensor([[0.0, 5.0], [1.0, 5.0]]))
        >>> metric.compute()
        {'active_units': tensor(1)}
    """

    full_state_update = False
    means: list[Tensor]

    def __init__(self, units: int | None = None) -> None:
        super().__init__()
        self.units = None if units is None else integer("units", units)
        self.add_state("means", [], dist_reduce_fx="cat")

    def update(self, mean: Tensor) -> None:
        self.means.append(mean.double())

    def compute(self) -> dict[str, Tensor]:
        mean = dim_zero_cat(self.means)
        if self.units is None:
            return {"active_units": active_units(mean)}
        variance = mean.var(0, correction=0).view(self.units, -1)
        return {"active_units": (variance.amax(1) > THRESHOLD).sum()}
