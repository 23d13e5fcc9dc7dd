"""Mutual information between images and latents over a whole split."""

import math

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


def mutual_information(mean: Tensor, stddev: Tensor, z: Tensor, chunk: int = 1000) -> Tensor:
    """I_q(x; z) = E log q(z|x) - E log q(z), nats: (), as He et al. 2019 (section 4.2) estimate it.

    q(z) is the mixture of all N posteriors, and the expectation is over one sample of each; the result cannot exceed
    log N. Computed in float64, N x ``chunk`` densities at a time.

    Args:
        mean: (N, D), posterior means.
        stddev: (N, D), posterior standard deviations.
        z: (N, D), one sample of each posterior.
        chunk: how many samples to compare with all posteriors at a time.
    """
    mean, stddev, z = mean.double(), stddev.double(), z.double()
    precision = stddev.square().reciprocal()
    constant = -0.5 * (mean.square() * precision).sum(1) - stddev.log().sum(1)
    own = -0.5 * ((z - mean) / stddev).square().sum(1) - stddev.log().sum(1)
    log_q = []
    for rows in torch.arange(len(z), device=z.device).split(chunk):
        # the square is expanded, so that all pairs cost two matrix products; a sample's own posterior, where the terms
        # may cancel to nothing, is put in exactly
        pairs = -0.5 * z[rows].square() @ precision.T + z[rows] @ (mean * precision).T + constant
        pairs[torch.arange(len(rows), device=z.device), rows] = own[rows]
        log_q.append(pairs.logsumexp(1) - math.log(len(z)))
    return (own - torch.cat(log_q)).mean()


class MutualInformation(Metric):
    """``mutual_information`` over a whole split; ``update`` takes ``mean``, ``stddev`` and ``z``, each (B, D).

    ``compute`` gives it with its ceiling log N. An average over small batches would saturate at log B instead.
    """

    full_state_update = False
    means: list[Tensor]
    stddevs: list[Tensor]
    zs: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("means", "stddevs", "zs"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, mean: Tensor, stddev: Tensor, z: Tensor) -> None:
        self.means.append(mean)
        self.stddevs.append(stddev)
        self.zs.append(z)

    def compute(self) -> dict[str, Tensor]:
        mean, stddev, z = (dim_zero_cat(part) for part in (self.means, self.stddevs, self.zs))
        ceiling = torch.tensor(math.log(len(z)), dtype=torch.float64)
        return {"mutual_information": mutual_information(mean, stddev, z), "mutual_information_ceiling": ceiling}
