"""What the scores of disentanglement have in common: the posterior means of a split beside its known factors."""

from torch import Tensor

from vae_lab.metrics.per_image import PerImage


class FactorScore(PerImage):
    """Base of scores that compare codes with factors.

    ``update`` takes ``indices`` (B,), ``mean`` (B, D) and ``factors`` (B, F); ``kept`` gives codes (N, D) and factors
    (N, F).

    Args:
        images: measure so many, evenly spread over the split; None for all.
    """

    higher_is_better = True

    def __init__(self, images: int | None = None) -> None:
        super().__init__("means", "known", images=images)

    def update(self, indices: Tensor, mean: Tensor, factors: Tensor) -> None:
        self.keep(indices, mean, factors)
