"""FactorVAE's score: does the code that varies least name the factor that was held?"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_lab.checks import integer, number
from vae_lab.metrics.factor_score import FactorScore
from vae_lab.metrics.shared_factor import SharedFactor

VOTES, BATCH = 800, 100
UNUSED = 0.05  # of the prior's variance, 1


def counted(codes: Tensor, draws: SharedFactor, votes: range, batch: int, unused: float) -> NDArray[np.int64]:
    """How often each code (D) varied least while each factor (F) was held: (D, F)."""
    z = codes.double().cpu().numpy()
    variance = z.var(0)
    count = np.zeros((z.shape[1], draws.values.shape[1]), np.int64)
    used = np.flatnonzero(variance > max(unused, 1e-12))
    for vote in votes:
        factor, rows = draws.batch(vote, batch)
        code = used[(z[np.ix_(rows, used)].var(0) / variance[used]).argmin()] if len(used) else 0
        count[code, factor] += 1
    return count


def factor_vae_score(
    codes: Tensor, factors: Tensor, votes: int = VOTES, batch: int = BATCH, unused: float = UNUSED, seed: int = 0
) -> Tensor:
    """FactorVAE's score (Kim & Mnih 2018): (), from chance, 1/F, to 1.

    A vote holds one factor in a batch and asks which code varies least there, relative to its variance in the split:

    j = argmin_i Var_batch(z_i) / Var(z_i)

    A code stands for the factor that it was named for most often. The score is how often that is right in fresh votes.
    Several codes for one factor cost nothing. A factor with one value is left out.

    Args:
        codes: (N, D), such as the posterior means.
        factors: (N, F), whole numbers.
        votes: to learn from, and as many to score.
        batch: images of each vote, with replacement.
        unused: codes with a variance up to this are left out; without any other the score is chance.
        seed: of the votes.

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        >>> factor_vae_score(factors.double(), factors, votes=50).item()
        1.0
    """
    draws = SharedFactor(factors, seed, "factor_vae_score")
    learnt = counted(codes, draws, range(votes), batch, unused).argmax(1)
    fresh = counted(codes, draws, range(votes, 2 * votes), batch, unused)
    return torch.tensor(fresh[np.arange(len(fresh)), learnt].sum() / votes, dtype=torch.float64)


class FactorVAEScore(FactorScore):
    """``factor_vae_score`` of the posterior means of a split.

    ``update`` takes ``indices`` (B,), ``mean`` (B, D) and ``factors`` (B, F); ``compute`` gives ``factor_vae_score``,
    ``factor_vae_votes`` and ``factor_vae_batch``, each ().

    Args:
        votes: as for ``factor_vae_score``.
        batch: likewise.
        unused: likewise.
        images: measure so many, evenly spread over the split, in place of all.
        seed: as for ``factor_vae_score``.
    """

    def __init__(
        self,
        votes: int = VOTES,
        batch: int = BATCH,
        unused: float = UNUSED,
        images: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(images)
        self.votes, self.batch, self.seed = integer("votes", votes), integer("batch", batch, low=2), seed
        self.unused = number("unused", unused, low=0)

    def compute(self) -> dict[str, Tensor]:
        codes, factors = self.kept()
        score = factor_vae_score(codes, factors, self.votes, self.batch, self.unused, self.seed)
        made = {"factor_vae_votes": torch.tensor(self.votes), "factor_vae_batch": torch.tensor(self.batch)}
        return {"factor_vae_score": score} | made
