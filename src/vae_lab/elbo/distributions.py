"""Distributions of single pixels that torch lacks, or has with too few digits."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import logsigmoid, softplus

MARGIN = 1e-4  # how far a mean is kept from 0 and 1 where a parameter is sought for it

# log(sinh(t/2) / (t/2)) = Σ SERIES[n] t^(2n+2), from the Bernoulli numbers; six terms reach float64 below SMALL
SERIES = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600, -691 / 15692092416000)
SMALL = 0.5


def inside(u: Tensor) -> Tensor:
    """Keep probabilities u off 0 and 1 by the smallest step of uniform noise, so that quantiles are finite."""
    step = torch.finfo(u.dtype).eps / 2
    return u.clamp(step, 1 - step)


class Pixels(Distribution):
    """Base of distributions of single pixels, which draw samples by their quantiles."""

    def __init__(self, params: Tensor) -> None:
        self.params = params
        super().__init__(params.shape, validate_args=False)

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        return self.icdf(inside(torch.rand(shape, dtype=self.params.dtype, device=self.params.device)))


class TiltedUniform(Pixels):
    """The continuous Bernoulli on [0, 1] (Loaiza-Ganem & Cunningham 2019).

    p(x) = exp(logit · x) · logit / (exp(logit) - 1)

    torch's own clips the logits at ±16 in float32, and loses the digits of its mean around logit 0.

    Example:
        >>> TiltedUniform(torch.tensor([0.0, 2.0])).mean
        tensor([0.5000, 0.6565])
    """

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Where |logit| is small, the logit there and 0 elsewhere, and |logit| elsewhere and 1 there."""
        size = self.params.abs()
        small = size < SMALL
        return small, torch.where(small, self.params, 0), torch.where(small, 1, size)

    def log_prob(self, value: Tensor) -> Tensor:
        small, near, far = self.parts()
        series = near * (value - 0.5) - near.square() * polynomial(near.square(), SERIES)
        to_the_edge = torch.where(self.params > 0, 1 - value, value)
        return torch.where(small, series, far.log() - (-torch.expm1(-far)).log() - far * to_the_edge)

    @property
    def mean(self) -> Tensor:
        small, near, far = self.parts()
        series = 0.5 + near * polynomial(near.square(), [2 * n * c for n, c in enumerate(SERIES, 1)])
        to_the_edge = 1 / far + (-far).exp() / torch.expm1(-far)
        return torch.where(small, series, torch.where(self.params > 0, 1 - to_the_edge, to_the_edge))

    @property
    def variance(self) -> Tensor:
        small, near, far = self.parts()
        series = polynomial(near.square(), [2 * n * (2 * n - 1) * c for n, c in enumerate(SERIES, 1)])
        return torch.where(small, series, 1 / far.square() - (-far).exp() / torch.expm1(-far).square())

    def icdf(self, value: Tensor) -> Tensor:
        """Value at probabilities in [0, 1), measured from the edge where the density is highest."""
        size = self.params.abs().clamp(min=1e-30)
        p = torch.where(self.params > 0, 1 - value, value)
        rest = torch.where(self.params > 0, value, 1 - value)
        shrunk = p * torch.expm1(-size)
        log = torch.where(shrunk > -0.5, torch.log1p(shrunk), (rest + p * (-size).exp()).log())
        to_the_edge = (-log / size).clamp(0, 1)
        return torch.where(self.params > 0, 1 - to_the_edge, to_the_edge)


def polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Σ c_n xⁿ, elementwise."""
    total = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def tilt(mean: Tensor) -> Tensor:
    """Logits, in float64, of the continuous Bernoulli whose mean is ``mean``, kept 1e-4 off 0 and 1; by bisection.

    Example:
        >>> tilt(TiltedUniform(torch.tensor([2.0])).mean)
        tensor([2.0000], dtype=torch.float64)
    """
    mean = mean.double().clamp(MARGIN, 1 - MARGIN)
    tail = torch.minimum(mean, 1 - mean)
    low, high = torch.zeros_like(tail), 1 / tail
    for _ in range(60):
        middle = (low + high) / 2
        flatter = TiltedUniform(-middle).mean > tail
        low, high = torch.where(flatter, middle, low), torch.where(flatter, high, middle)
    return torch.where(mean > 0.5, high, -high)


class RoundedLogistic(Pixels):
    """A logistic variable, rounded to the nearest of the levels k / (levels - 1).

    Example:
        >>> pixel = RoundedLogistic(torch.tensor(0.5), torch.tensor(0.1), levels=3)
        >>> pixel.log_prob(torch.tensor([0.0, 0.5, 1.0])).exp()
        tensor([0.0759, 0.8483, 0.0759])
    """

    def __init__(self, location: Tensor, scale: Tensor, levels: int) -> None:
        super().__init__(location)
        self.scale, self.last = scale, levels - 1

    def log_prob(self, value: Tensor) -> Tensor:
        """Log mass between the edges a and b: log(σ(b) - σ(a)) = log σ(b) + log σ(-a) + log(1 - exp(a - b))."""
        half = 0.5 / self.last
        distance = value - self.params
        below = logsigmoid((distance + half) / self.scale)
        above = logsigmoid((half - distance) / self.scale)
        inner = below + above + (-torch.expm1(-2 * half / self.scale)).log()
        return torch.where(value < half, below, torch.where(value > 1 - half, above, inner))

    @property
    def mean(self) -> Tensor:
        """Mean before rounding, of the variable clipped to [0, 1], in closed form.

        It differs from the mean of the levels by half a level at most, and by far less where the scale covers a level.
        """
        area = softplus(self.params / self.scale) - softplus((self.params - 1) / self.scale)
        return (self.scale * area).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """Level at probabilities in (0, 1)."""
        pixel = self.params + self.scale * torch.logit(value)
        return (pixel * self.last).round().clamp(0, self.last) / self.last
