"""What the data can pay for: their spectrum. Pure maths on arrays.

In units of the likelihood's own pixel variance V the data have the covariance V^-½ Σ V^-½. Its eigenvalues e_1 >= e_2,
... are what β is compared with: a direction i is worth its nats when e_i > β, and when e_1 <= β the collapsed state is
a local optimum of any VAE with a smooth decoder. P is the number of pixels times channels, N of images.

For a Gaussian likelihood V = σ², so that e_i = λ_i/σ², and the linear VAE obeys ``water_filling`` exactly (Lucas et al.
2019, section 4), at the level βσ². For other likelihoods only the comparison of e_i with β holds, and near the
collapsed state.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def spectrum(images: Floats, pixel_variance: Floats) -> Floats:
    """Eigenvalues (P,) of V^-½ Σ V^-½, falling, of images (N, P) under a likelihood with ``pixel_variance`` (P,).

    Pixels that never change carry nothing, whatever their variance under the likelihood.

    Example:
        >>> images = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> spectrum(images, pixel_variance=np.array([0.5, 0.5]))
        array([4., 1.])
    """
    centred = images - images.mean(0)
    moving = centred.any(0)
    whitened = centred[:, moving] / np.sqrt(pixel_variance[moving])
    values = np.linalg.eigvalsh(whitened.T @ whitened / len(images))
    return np.concatenate([values[::-1].clip(min=0), np.zeros(int((~moving).sum()))])


def pixelwise(images: Floats, latent_dim: int) -> Floats:
    """The variances (P,) of the pixels of images (N, P): of the first D, which have a latent, falling; then the rest.

    They stand in for the eigenvalues where networks are diagonal, and see each pixel on its own.

    Example:
        >>> images = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
        >>> pixelwise(images, latent_dim=2)
        array([4., 1., 9.])
    """
    variances = images.var(0)
    return np.concatenate([np.sort(variances[:latent_dim])[::-1], variances[latent_dim:]])
