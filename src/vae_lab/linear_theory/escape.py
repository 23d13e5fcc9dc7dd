"""How fast gradient descent leaves the collapsed state. Pure maths on arrays.

Around the collapsed state of a linear Gaussian VAE the loss in one direction of the data is a quadratic form of the
encoder's weight w and the decoder's weight a, the posterior's variance being 1:

½ (a² - 2λ a w)/σ² + ½ βλ w²

It has a negative eigenvalue when β < λ/σ²: then the state is a saddle, and gradient descent leaves it along the
eigenvector at that rate. The nearer β comes to λ/σ², the slower: the rate is 0 there.
"""

import math

import numpy as np


def growth_rate(eigenvalue: float, beta: float, variance: float = 1.0) -> float:
    """The rate at which weights grow out of the collapsed state, per unit of step size: minus the least eigenvalue.

    ½ (√((βλ - 1/σ²)² + 4λ²/σ⁴) - βλ - 1/σ²)

    A step of gradient descent multiplies the weights by 1 + learning rate · growth rate. It depends on the units in
    which images are given; with ``variance`` 1 and λ in units of σ² it is that of images divided by σ. Negative where
    β > λ/σ²: then the collapsed state is stable, and weights shrink.

    Args:
        eigenvalue: λ.
        beta: β times the KL weight.
        variance: σ².

    Example:
        >>> [round(growth_rate(eigenvalue=4.0, beta=beta), 3) for beta in (0.0, 1.0, 3.5, 4.0)]
        [3.531, 1.772, 0.132, 0.0]
    """
    encoder, decoder, coupling = beta * eigenvalue, 1 / variance, eigenvalue / variance
    return 0.5 * (math.hypot(encoder - decoder, 2 * coupling) - encoder - decoder)


def slow_direction(eigenvalue: float, beta: float, variance: float = 1.0) -> tuple[float, float]:
    """(w, a) of length 1, the direction in which the collapsed state is left: the eigenvector of ``growth_rate``.

    Example:
        >>> w, a = slow_direction(eigenvalue=4.0, beta=1.0)
        >>> round(w, 3), round(a, 3)
        (0.57, 0.822)
    """
    form = np.array([[beta * eigenvalue, -eigenvalue / variance], [-eigenvalue / variance, 1 / variance]])
    w, a = np.linalg.eigh(form)[1][:, 0]
    sign = math.copysign(1.0, w)
    return float(sign * w), float(sign * a)
