"""SAP: how much better the best code predicts a factor than the second best."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from vae_lab import noise
from vae_lab.checks import choice
from vae_lab.metrics.factor_score import FactorScore
from vae_lab.metrics.mig import top_two_gap

FITS = ("regression", "threshold")


def squared_correlation(codes: Tensor, factors: Tensor) -> Tensor:
    """R² of each factor's linear regression on each code alone: (D, F), float64; 0 where one of them is constant."""
    x, y = codes.double() - codes.double().mean(0), factors.double() - factors.double().mean(0)
    scale = x.square().sum(0)[:, None] * y.square().sum(0)
    return torch.where(scale > 1e-12, (x.T @ y).square() / scale.clamp(min=1e-12), 0)


def halves(n: int, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """A fixed random half of ``range(n)``, to fit on, and the other, to score on."""
    first, second = noise.permutation(n, seed=seed, purpose=purpose).tensor_split(2)
    return first, second


def threshold_accuracy(codes: Tensor, factors: Tensor, seed: int = 0) -> Tensor:
    """Balanced accuracy, on a held-out half, of thresholds on each code alone, for each factor: (D, F), float64."""
    fit, score = halves(len(codes), seed, "sap")
    columns = codes.double().cpu().numpy().T[:, :, None]
    values = factors.cpu().numpy().T

    def accuracy(column: NDArray[np.float64], value: NDArray[np.int64]) -> float:
        tree = DecisionTreeClassifier(class_weight="balanced", max_leaf_nodes=2 * len(set(value)), random_state=0)
        predicted = tree.fit(column[fit], value[fit]).predict(column[score])
        return float(balanced_accuracy_score(value[score], predicted))

    return torch.tensor([[accuracy(c, v) for v in values] for c in columns], dtype=torch.float64)


def sap(codes: Tensor, factors: Tensor, fit: str = "regression", seed: int = 0) -> Tensor:
    """The separated attribute predictability (Kumar et al. 2018, section 3): (), between 0 and 1.

    SAP = mean_k ( S_jk - max_{i≠j} S_ik ),   j = argmax_i S_ik

    Args:
        codes: (N, D), such as the posterior means.
        factors: (N, F), whole numbers.
        fit: what S_jk is: ``regression``, R² of factor k on code j, for factors whose values have an order;
            ``threshold``, the balanced accuracy of thresholds on code j, as many as twice the factor's values, on a
            held-out half. With these a perfect code scores 1 less the chance of guessing, mean_k (1 - 1/V_k).
        seed: of the halves.

    Raises:
        ValueError: for an unknown fit.

    Example:
        >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        >>> round(sap(factors.double(), factors).item(), 6)
        1.0
    """
    regression = choice("fit", fit, FITS) == "regression"
    scores = squared_correlation(codes, factors) if regression else threshold_accuracy(codes, factors, seed)
    return top_two_gap(scores).mean()


class SAP(FactorScore):
    """``sap`` of the posterior means of a split.

    ``update`` takes ``indices`` (B,), ``mean`` (B, D) and ``factors`` (B, F); ``compute`` gives ``sap_FIT`` ().

    Args:
        fit: as for ``sap``.
        images: measure so many, evenly spread over the split, in place of all.
        seed: as for ``sap``.
    """

    def __init__(self, fit: str = "regression", images: int | None = None, seed: int = 0) -> None:
        super().__init__(images)
        self.fit, self.seed = choice("fit", fit, FITS), seed

    def compute(self) -> dict[str, Tensor]:
        codes, factors = self.kept()
        return {f"sap_{self.fit}": sap(codes, factors, self.fit, self.seed)}
