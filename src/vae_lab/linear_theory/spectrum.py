"""What the data can pay for: the linear theory of collapse. Pure maths on arrays, nats.

In units of the likelihood's own pixel variance V the data have the covariance V^-½ Σ V^-½. Its eigenvalues e_1 >= e_2,
... are what β is compared with: a direction i is worth its nats when e_i > β, and when e_1 <= β the collapsed state is
a local optimum of any VAE with a smooth decoder. P is the number of pixels times channels, N of images.

For a Gaussian likelihood V = σ², so that e_i = λ_i/σ², and the linear VAE obeys the formulas below exactly (Lucas et
al. 2019, section 4): reverse water-filling at the level βσ². For other likelihoods only the comparison of e_i with β
holds, and near the collapsed state.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def spectrum(images: Floats, pixel_variance: Floats) -> Floats:
    """Eigenvalues (P,) of V^-½ Σ V^-½, falling, of images (N, P) under a likelihood with ``pixel_variance`` (P,).

    Pixels that never change carry nothing, whatever their variance under the likelihood.
    """
    centred = images - images.mean(0)
    moving = centred.any(0)
    whitened = centred[:, moving] / np.sqrt(pixel_variance[moving])
    values = np.linalg.eigvalsh(whitened.T @ whitened / len(images))
    return np.concatenate([values[::-1].clip(min=0), np.zeros(int((~moving).sum()))])


@dataclass(frozen=True)
class WaterFilling:
    """The linear VAE's optimum: ``rates`` (D,) in nats, falling; ``squared_error`` per image, in units of V."""

    rates: Floats
    squared_error: float

    @property
    def rate(self) -> float:
        """Nats per image."""
        return float(self.rates.sum())

    @property
    def used(self) -> int:
        """How many latents carry anything."""
        return int((self.rates > 0).sum())


def water_filling(eigenvalues: Floats, beta: float, latent_dim: int) -> WaterFilling:
    """The optimum of a linear Gaussian VAE of D = ``latent_dim`` at β > 0 on data with eigenvalues in units of V.

    R_i = ½ log⁺(e_i/β) for i <= D; the squared error is Σ_{i<=D} min(e_i, β) + Σ_{i>D} e_i.
    """
    kept, dropped = eigenvalues[:latent_dim], eigenvalues[latent_dim:]
    rates = np.zeros(latent_dim)
    rates[: len(kept)] = 0.5 * np.log(np.maximum(kept / beta, 1))
    return WaterFilling(rates, float(np.minimum(kept, beta).sum() + dropped.sum()))
