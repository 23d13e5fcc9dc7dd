"""The spectrum of the data, in units of the likelihood's own pixel variance. Pure maths on arrays.

In units of the likelihood's pixel variance V the data have the covariance V^-½ Σ V^-½. Its eigenvalues e_1 >= e_2, ...
are what β is compared with: encoding direction i lowers the loss when e_i > β, and when e_1 <= β the collapsed state is
a local optimum of any VAE with a smooth decoder. P is the number of pixels times channels, N of images.

For a Gaussian likelihood V = σ², so that e_i = λ_i/σ², and the linear VAE obeys ``water_filling`` exactly (Lucas et al.
2019, section 4), at the level βσ². For other likelihoods only the comparison of e_i with β holds, and near the
collapsed state.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 4_000_000  # values that are held in float64 at a time: the bound of memory
ALL = 3000  # up to this many eigenvalues that are not 0, all are computed
FIRST = 128  # how many are computed beyond, at least
POWER_ITERATIONS = 7  # of the randomised method, which is exact to some 1e-3 then


def spectrum(images: NDArray[Any], pixel_variance: Floats, first: int = FIRST) -> Floats:
    """Eigenvalues (P,) of V^-½ Σ V^-½, falling, of images (N, P) under a likelihood with ``pixel_variance`` (P,).

    They are those of the smaller of the two Gram matrices, P × P or N × N; the others are 0. Where even that one is
    large, min(N, P) > 3000, the largest are computed by a randomised method, at least ``first`` of them, and the others
    are given as their mean, so that the sum is exact. Pixels that never change carry nothing, whatever their variance
    under the likelihood.

    Example:
        >>> images = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> spectrum(images, pixel_variance=np.array([0.5, 0.5]))
        array([4., 1.])
    """
    mean = images.mean(0, dtype=np.float64)
    moving = (images != images[0]).any(0)
    scale = np.where(moving, 1 / np.sqrt(np.where(moving, pixel_variance, 1)), 0.0)
    rank = min(len(images) - 1, int(moving.sum()))
    if rank <= ALL:
        values = np.linalg.eigvalsh(gram(images, mean, scale) / len(images))[::-1][:rank]
    else:
        values = largest(images, mean, scale, max(first, FIRST), rank)
    return np.pad(values.clip(min=0), (0, images.shape[1] - len(values)))


def gram(images: NDArray[Any], mean: Floats, scale: Floats) -> Floats:
    """X Xᵀ or Xᵀ X, whichever is smaller, of X = (images - mean) · scale, summed over blocks."""
    n, p = images.shape
    total = np.zeros((min(n, p), min(n, p)))
    if n < p:
        for columns in blocks(p, n):
            x = (images[:, columns] - mean[columns]) * scale[columns]
            total += x @ x.T
    else:
        for rows in blocks(n, p):
            x = (images[rows] - mean) * scale
            total += x.T @ x
    return total


def blocks(length: int, width: int) -> list[slice]:
    """Slices of ``length`` of which each, times ``width``, holds about ``BLOCK`` values."""
    size = max(BLOCK // width, 1)
    return [slice(start, start + size) for start in range(0, length, size)]


def largest(images: NDArray[Any], mean: Floats, scale: Floats, first: int, rank: int) -> Floats:
    """The first eigenvalues (rank,) by randomised subspace iteration (Halko et al. 2011); beyond, the mean of the rest.

    In float32, which is exact enough for it.
    """
    from sklearn.utils.extmath import randomized_svd

    x = ((images - mean.astype(np.float32)) * scale.astype(np.float32)).astype(np.float32, copy=False)
    total = sum(float(np.square(x[rows], dtype=np.float64).sum()) for rows in blocks(*x.shape)) / len(x)
    count = min(first, rank)
    singular = randomized_svd(x, count, n_oversamples=count, n_iter=POWER_ITERATIONS, random_state=0)[1]
    values = np.square(singular, dtype=np.float64) / len(x)
    rest = np.full(rank - count, max(total - values.sum(), 0.0) / max(rank - count, 1))
    return np.concatenate([values, rest])


def pixelwise(images: NDArray[Any], latent_dim: int) -> Floats:
    """The variances (P,) of the pixels of images (N, P): of the first D, which have a latent, falling; then the rest.

    They stand in for the eigenvalues where networks are diagonal, and see each pixel on its own.

    Example:
        >>> images = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
        >>> pixelwise(images, latent_dim=2)
        array([4., 1., 9.])
    """
    variances = images.var(0, dtype=np.float64)
    return np.concatenate([np.sort(variances[:latent_dim])[::-1], variances[latent_dim:]])
