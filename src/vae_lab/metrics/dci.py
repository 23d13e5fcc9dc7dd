"""DCI: does each code serve one factor, is each factor served by one code, and can it be read at all?"""

import math
from typing import NamedTuple

import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from vae_lab.checks import integer
from vae_lab.metrics.factor_score import FactorScore
from vae_lab.metrics.sap import halves

TREES = 10


class Scores(NamedTuple):
    """What ``dci`` gives, each ()."""

    disentanglement: Tensor
    completeness: Tensor
    informativeness: Tensor


def importances(codes: Tensor, factors: Tensor, trees: int = TREES, seed: int = 0) -> tuple[Tensor, Tensor]:
    """How much each code helps a random forest to predict each factor, (D, F), and its accuracy held out, (F,)."""
    fit, score = halves(len(codes), seed, "dci")
    x, values = codes.double().cpu().numpy(), factors.cpu().numpy().T
    columns, accuracies = [], []
    for value in values:
        forest = RandomForestClassifier(trees, max_features=None, random_state=0).fit(x[fit], value[fit])
        columns.append(torch.as_tensor(forest.feature_importances_, dtype=torch.float64))
        accuracies.append(float(forest.score(x[score], value[score])))
    return torch.stack(columns, 1), torch.tensor(accuracies, dtype=torch.float64)


def concentration(weights: Tensor) -> Tensor:
    """1 - the entropy, in units of its largest, of each row (R, C), >= 0, taken as a distribution: (R,).

    A row of zeros, and a table of one column, say nothing: 0 and 1.

    Example:
        >>> concentration(torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]))
        tensor([1., 0., 0.])
    """
    total = weights.sum(1)
    p = weights / total.clamp(min=1e-30)[:, None]
    entropy = torch.special.entr(p).sum(1) / math.log(max(weights.shape[1], 2))
    return torch.where(total > 0, 1 - entropy, 0)


def dci(codes: Tensor, factors: Tensor, trees: int = TREES, seed: int = 0) -> Scores:
    """Disentanglement, completeness and informativeness (Eastwood & Williams 2018), each between 0 and 1.

    D = Σ_j ρ_j ( 1 - H(P_j) / log F ),   C = mean_k ( 1 - H(P̃_k) / log D ),   I = mean accuracy

    with R_jk the importance of code j for factor k in a random forest, P_j and P̃_k its rows and columns as
    distributions, and ρ_j the part of row j in the whole. I is the accuracy on a held-out half; read it beside the
    chance of guessing, since D and C of codes that know nothing are those of noise.

    Args:
        codes: (N, D), such as the posterior means.
        factors: (N, F), whole numbers, each with at least two values.
        trees: of each forest.
        seed: of the halves.

    Example:
        >>> factors = torch.cartesian_prod(*[torch.arange(4)] * 3)
        >>> [round(score.item(), 3) for score in dci(factors.double(), factors)]
        [1.0, 1.0, 1.0]
    """
    matrix, accuracy = importances(codes, factors, trees, seed)
    part = matrix.sum(1) / matrix.sum().clamp(min=1e-30)
    return Scores((part * concentration(matrix)).sum(), concentration(matrix.T).mean(), accuracy.mean())


class DCI(FactorScore):
    """``dci`` of the posterior means of a split.

    ``update`` takes ``indices`` (B,), ``mean`` (B, D) and ``factors`` (B, F); ``compute`` gives
    ``dci_disentanglement``, ``dci_completeness``, ``dci_informativeness`` and ``dci_trees``, each ().

    Args:
        trees: as for ``dci``.
        images: measure so many, evenly spread over the split, in place of all.
        seed: as for ``dci``.
    """

    def __init__(self, trees: int = TREES, images: int | None = None, seed: int = 0) -> None:
        super().__init__(images)
        self.trees, self.seed = integer("trees", trees), seed

    def compute(self) -> dict[str, Tensor]:
        codes, factors = self.kept()
        scores = dci(codes, factors, self.trees, self.seed)
        figures = {f"dci_{name}": score for name, score in scores._asdict().items()}
        return figures | {"dci_trees": torch.tensor(self.trees)}
