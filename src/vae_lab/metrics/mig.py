"""MIG: how much more the best code knows of a factor than the second best."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score
from torch import Tensor

from vae_lab.checks import integer
from vae_lab.metrics.factor_score import FactorScore

BINS = 20  # as in Locatello et al. 2019


def discretised(codes: Tensor, bins: int) -> NDArray[np.int64]:
    """Codes (N, D) as the number of their bin (N, D), of ``bins`` equally wide ones between least and largest.

    Example:
        >>> discretised(torch.tensor([[0.0], [0.4], [0.6], [1.0]]), bins=2)[:, 0].tolist()
        [0, 0, 1, 1]
    """
    low, high = codes.amin(0), codes.amax(0)
    place = (codes - low) / (high - low).clamp(min=1e-12) * bins
    return place.long().clamp(max=bins - 1).numpy()


def information(codes: Tensor, factors: Tensor, bins: int = BINS) -> Tensor:
    """Mutual information, nats, of each code, discretised, and each factor: (D, F), float64, from (N, D) and (N, F)."""
    binned, known = discretised(codes.double().cpu(), bins), factors.cpu().numpy()
    rows = [[mutual_info_score(known[:, k], column) for k in range(known.shape[1])] for column in binned.T]
    return torch.tensor(rows, dtype=torch.float64)


def top_two_gap(scores: Tensor) -> Tensor:
    """The largest minus the second largest score (D, F) of each factor, (F,); with one code, the largest."""
    best = scores.sort(0, descending=True).values
    return best[0] - best[1] if len(best) > 1 else best[0]


def mig(codes: Tensor, factors: Tensor, bins: int = BINS) -> Tensor:
    """The mutual information gap (Chen et al. 2018, section 4): (), between 0 and 1.

    MIG = mean_k ( I(z_j; v_k) - max_{i≠j} I(z_i; v_k) ) / H(v_k),   j = argmax_i I(z_i; v_k)

    It asks for one code per factor; a code may serve several. A factor with one value is left out. The figure depends
    on the discretisation: few bins cannot tell the values apart, many find information in noise.

    Args:
        codes: (N, D), such as the posterior means.
        factors: (N, F), whole numbers.
        bins: equally wide, into which each code is cut.

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        >>> round(mig(factors.double(), factors).item(), 6)  # each factor has its code
        1.0
        >>> round(mig(torch.stack([factors[:, 0]] * 2, 1).double(), factors[:, :1]).item(), 6)  # and here it has two
        0.0
    """
    entropy = entropies(factors)
    varies = entropy > 0
    gap = top_two_gap(information(codes, factors, bins))
    return (gap[varies] / entropy[varies]).mean()


def entropies(factors: Tensor) -> Tensor:
    """The entropy, nats, of each factor (N, F): (F,), float64."""
    return torch.tensor([mutual_info_score(v, v) for v in factors.cpu().numpy().T], dtype=torch.float64)


class Match(NamedTuple):
    """The factor that a code knows most of: its place, and of its ``entropy`` the ``information``, nats."""

    factor: int
    information: float
    entropy: float


def best_factors(codes: Tensor, factors: Tensor, bins: int = BINS) -> list[Match]:
    """For each code of (N, D) the factor of (N, F) of whose entropy it knows the largest part.

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(2))
        >>> [match.factor for match in best_factors(factors.flip(1).double(), factors)]
        [1, 0]
    """
    known, entropy = information(codes, factors, bins), entropies(factors)
    best = (known / entropy.clamp(min=1e-30)).masked_fill(entropy <= 0, -1).argmax(1).tolist()
    return [Match(k, float(row[k]), float(entropy[k])) for k, row in zip(best, known, strict=True)]


class MIG(FactorScore):
    """``mig`` of the posterior means of a split.

    ``update`` takes ``indices`` (B,), ``mean`` (B, D) and ``factors`` (B, F); ``compute`` gives ``mig`` () and, since
    the figure depends on them, ``mig_bins`` ().

    Args:
        bins: as for ``mig``.
        images: measure so many, evenly spread over the split, in place of all.
    """

    def __init__(self, bins: int = BINS, images: int | None = None) -> None:
        super().__init__(images)
        self.bins = integer("bins", bins, low=2)

    def compute(self) -> dict[str, Tensor]:
        codes, factors = self.kept()
        return {"mig": mig(codes, factors, self.bins), "mig_bins": torch.tensor(self.bins)}
