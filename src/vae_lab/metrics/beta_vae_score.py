"""β-VAE's score: can a linear classifier tell which factor two images share?"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from vae_lab.checks import integer
from vae_lab.metrics.factor_score import FactorScore
from vae_lab.metrics.shared_factor import SharedFactor

VOTES, BATCH = 1000, 64
ITERATIONS = 2000  # of the classifier, at most


def differences(
    codes: Tensor, draws: SharedFactor, votes: range, batch: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The mean distance (votes, D) of each code within a batch of pairs, and the factor (votes,) that they share."""
    z = codes.double().cpu().numpy()
    found, shared = [], []
    for vote in votes:
        factor, one, other = draws.pairs(vote, batch)
        found.append(np.abs(z[one] - z[other]).mean(0))
        shared.append(factor)
    return np.stack(found), np.array(shared)


def beta_vae_score(codes: Tensor, factors: Tensor, votes: int = VOTES, batch: int = BATCH, seed: int = 0) -> Tensor:
    """β-VAE's score (Higgins et al. 2017): (), from chance, 1/F, to 1.

    A vote is the mean distance, code by code, of pairs of images that share a factor, each pair a value of its own:

    d_j = mean_b | z_j(x_b) - z_j(x'_b) |

    The score is the accuracy on fresh votes of a logistic regression that tells the factor by d. It is the kindest of
    these scores: 1 as well when a factor has several codes, or when one factor has none. A factor with one value is
    left out.

    Args:
        codes: (N, D), such as the posterior means.
        factors: (N, F), whole numbers.
        votes: to learn from, and as many to score.
        batch: pairs of each vote, with replacement.
        seed: of the votes.

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        >>> beta_vae_score(factors.double(), factors, votes=50).item()
        1.0
    """
    draws = SharedFactor(factors, seed, "beta_vae_score")
    if len(draws.varying) == 1:  # nothing to tell apart
        return torch.ones((), dtype=torch.float64)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    classifier.fit(*differences(codes, draws, range(votes), batch))
    accuracy = classifier.score(*differences(codes, draws, range(votes, 2 * votes), batch))
    return torch.tensor(accuracy, dtype=torch.float64)


class BetaVAEScore(FactorScore):
    """``beta_vae_score`` of the posterior means of a split.

    ``update`` takes ``indices`` (B,), ``mean`` (B, D) and ``factors`` (B, F); ``compute`` gives ``beta_vae_score``,
    ``beta_vae_votes`` and ``beta_vae_batch``, each ().

    Args:
        votes: as for ``beta_vae_score``.
        batch: likewise.
        images: measure so many, evenly spread over the split, in place of all.
        seed: as for ``beta_vae_score``.
    """

    def __init__(self, votes: int = VOTES, batch: int = BATCH, images: int | None = None, seed: int = 0) -> None:
        super().__init__(images)
        self.votes, self.batch, self.seed = integer("votes", votes, low=20), integer("batch", batch), seed

    def compute(self) -> dict[str, Tensor]:
        codes, factors = self.kept()
        score = beta_vae_score(codes, factors, self.votes, self.batch, self.seed)
        made = {"beta_vae_votes": torch.tensor(self.votes), "beta_vae_batch": torch.tensor(self.batch)}
        return {"beta_vae_score": score} | made
