"""Importance-weighted negative log-likelihood."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_lab.checks import integer
from vae_lab.metrics.per_image import PerImage

SAMPLES = 100  # drawn at a time for each image: memory does not grow with K
AT_ONCE = 100  # images


def importance_weighted_nll(log_weights: Tensor) -> Tensor:
    """Bound -log p(x) from above by K importance samples (Burda et al. 2016): (B,), nats per image.

    nll_b = -log 1/K Σ_k w_kb,   w_kb = p(x_b, z_k) / q(z_k|x_b),   z_k ~ q(z|x_b)

    An upper bound in expectation, tighter as K grows. ``log_weights`` (K, B) are log w.

    Example:
        >>> importance_weighted_nll(torch.tensor([[0.25], [0.75]]).log()).exp()  # 1 / mean(w)
        tensor([2.0000])
    """
    return math.log(len(log_weights)) - log_weights.logsumexp(0)


class ImportanceWeightedNLL(PerImage):
    """The mean of ``importance_weighted_nll`` over a split, where it is dear from a part of the images.

    nll = mean_all( -elbo_b ) - mean_some( -elbo_b - nll_b )

    The ELBO is known of all images; how far importance sampling tightens it is measured on some, and varies far less
    between images than the NLL itself. On all images it is the plain mean.

    Args:
        log_weights: maps images x (B, C, H, W), their indices (B,) and the numbers of the samples (k,) to log w
            (k, B). What it draws must depend on index and number alone: then no batch size changes the figure.
        k: importance samples K; 0 leaves the figure out.
        images: draw samples for this many images, evenly spread over the split, in place of all.
        chunk: how many samples are asked for at a time.

    ``update`` takes ``x`` (B, C, H, W), ``indices`` (B,), ``rate`` (B, D) and ``distortion`` (B,). ``compute`` gives
    ``nll`` (), nats per image, ``nll_images`` (), for how many images samples were drawn, and ``nll_se`` (), the
    standard error that comes from the other images: 0 where there is none.

    Raises:
        ValueError: when ``k`` or ``chunk`` is no whole number, or below 0 or 1, or ``images`` none >= 2.

    Example:
        >>> def log_weights(x, indices, samples):  # weights 1, 2, 3, ... whatever the image
        ...     return (samples + 1.0).log()[:, None].expand(-1, len(x))
        >>> metric = ImportanceWeightedNLL(log_weights, k=3)
        >>> metric.update(torch.zeros(2, 1, 4, 4), torch.arange(2), rate=torch.zeros(2, 1), distortion=torch.zeros(2))
        >>> round(metric.compute()["nll"].exp().item(), 6)  # 1 / mean(w)
        0.5
    """

    higher_is_better = False
    total: Tensor
    count: Tensor

    def __init__(
        self,
        log_weights: Callable[[Tensor, Tensor, Tensor], Tensor],
        k: int = 50,
        images: int | None = None,
        chunk: int = SAMPLES,
    ) -> None:
        # of some images the pixels are kept until the pass is over, of all only the figures
        super().__init__("pictures" if images is not None else "nlls", "bounds", images=images)
        self.set_dtype(torch.float64)
        self.log_weights = log_weights
        self.k, self.chunk = integer("k", k, low=0), integer("chunk", chunk)
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, x: Tensor, indices: Tensor, rate: Tensor, distortion: Tensor) -> None:
        if not self.k:
            return
        bound = rate.double().sum(1) + distortion.double()
        self.total += bound.sum()
        self.count += len(x)
        self.keep(indices, x if self.images is not None else self.nll(x, indices), bound)

    def nll(self, x: Tensor, indices: Tensor) -> Tensor:
        """``importance_weighted_nll`` of images x (B, C, H, W) with these indices (B,): (B,)."""
        weights = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)  # log Σ w so far
        for samples in torch.arange(self.k).split(self.chunk):
            weights = torch.logaddexp(weights, self.log_weights(x, indices, samples).double().logsumexp(0))
        return math.log(self.k) - weights

    def compute(self) -> dict[str, Tensor]:
        if not self.k:
            return {}
        indices, (kept, bound) = self.kept_indices(), self.kept()
        parts = zip(kept.split(AT_ONCE), indices.split(AT_ONCE), strict=True)
        nll = torch.cat([self.nll(*part) for part in parts]) if self.images is not None else kept
        tightened = bound - nll
        others = 1 - len(nll) / self.count  # the finite population's correction
        error = (tightened.var(correction=1) / len(nll) * others).clamp(min=0).sqrt() if len(nll) > 1 else others * 0
        figures = {"nll": self.total / self.count - tightened.mean(), "nll_se": error}
        return figures | {"nll_images": torch.tensor(len(nll))}
