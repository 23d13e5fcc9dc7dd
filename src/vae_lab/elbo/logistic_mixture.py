"""A mixture of rounded logistics for each pixel, whose channels depend on one another: that of PixelCNN++.

Shapes: B batch, C channels of the image, K components, P parameters of a pixel; y = 2x - 1 is a pixel in [-1, 1].
"""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_lab.checks import integer
from vae_lab.elbo.distributions import RoundedLogistic, inside
from vae_lab.elbo.likelihoods import Likelihood, best_logistic, check_levels

LEAST_LOG_SCALE, MOST_LOG_SCALE = -7.0, 7.0  # of y: the least is that of PixelCNN++, the most fills 0 and 1 alone


class LogisticMixture(Distribution):
    """Images whose pixels, all channels of one together, are mixtures of rounded logistics (Salimans et al. 2017).

    p(x_1, ..., x_C) = Σ_k π_k Π_c logistic( x_c ; m_kc(x_<c), s_kc ),   m_kc = μ_kc + Σ_j<c tanh(a_kcj) y_j

    Args:
        params: (B, P, H, W), for each pixel K logits of π, C·K means μ and C·K values log s, both of y, and
            C(C-1)/2·K values a.
        components: K.
        channels: C.
        levels: of a channel, k / (levels - 1) for k = 0, ..., levels - 1.
    """

    def __init__(self, params: Tensor, components: int, channels: int, levels: int) -> None:
        super().__init__(params.shape[:1], torch.Size((channels, *params.shape[2:])), validate_args=False)
        self.channels, self.levels = channels, levels
        sizes = [components, channels * components, channels * components, params.shape[1]]
        sizes[-1] -= sum(sizes[:-1])
        weights, locations, log_scales, slopes = params.split(sizes, dim=1)
        self.log_weight = weights.log_softmax(1)  # (B, K, H, W)
        self.location = locations.unflatten(1, (channels, components))  # (B, C, K, H, W)
        self.scale = log_scales.clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE).exp().unflatten(1, (channels, components)) / 2
        self.slope = slopes.tanh().unflatten(1, (-1, components)) if sizes[-1] else slopes  # (B, C(C-1)/2, K, H, W)

    def component(self, channel: int, before: list[Tensor]) -> RoundedLogistic:
        """The logistics (B, K, H, W) of one channel, given those before it, each (B, H, W) or (B, K, H, W)."""
        location = self.location[:, channel]
        first = channel * (channel - 1) // 2
        for j, x in enumerate(before[:channel]):
            y = 2 * (x if x.ndim == 4 else x[:, None]) - 1
            location = location + self.slope[:, first + j] * y
        return RoundedLogistic((location + 1) / 2, self.scale[:, channel], self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log mass (B,) of images (B, C, H, W)."""
        channels = list(value.unbind(1))
        parts = [self.component(c, channels).log_prob(x[:, None]) for c, x in enumerate(channels)]
        log_mass: Tensor = (sum(parts) + self.log_weight).logsumexp(1).flatten(1).sum(1)
        return log_mass

    @property
    def mean(self) -> Tensor:
        """Mean images (B, C, H, W), each channel's at the component's means of those before it."""
        means: list[Tensor] = []
        for c in range(self.channels):
            means.append(self.component(c, means).mean)
        mean: Tensor = (torch.stack(means, 1) * self.log_weight.exp()[:, None]).sum(2)
        return mean

    def icdf(self, value: Tensor) -> Tensor:
        """Pixels at probabilities (B, C, H, W) in (0, 1), each channel's given those before it: (B, C, H, W)."""
        drawn: list[Tensor] = []
        log_weight = self.log_weight
        for c, u in enumerate(value.unbind(1)):
            logistic = self.component(c, drawn)
            x = self.level(logistic, log_weight.softmax(1), u)
            log_weight = log_weight + logistic.log_prob(x[:, None])
            drawn.append(x)
        return torch.stack(drawn, 1)

    def level(self, logistic: RoundedLogistic, weight: Tensor, u: Tensor) -> Tensor:
        """The lowest level whose cumulative probability reaches u (B, H, W), by bisection."""
        last = self.levels - 1
        low, high = torch.zeros_like(u), torch.full_like(u, last)
        for _ in range(last.bit_length()):
            middle = ((low + high) / 2).floor()
            edge = (middle[:, None] + 0.5) / last
            reached = (weight * ((edge - logistic.params) / logistic.scale).sigmoid()).sum(1) >= u
            low, high = torch.where(reached, low, middle + 1), torch.where(reached, middle, high)
            low = torch.minimum(low, high)
        return high / last

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        draws = torch.rand(shape, dtype=self.location.dtype, device=self.location.device)
        flat = [self.icdf(inside(u)) for u in draws.reshape(-1, *shape[len(sample_shape) :])]
        return torch.stack(flat).view(shape)


class DiscretizedLogisticMixture(Likelihood):
    """Each pixel a mixture of logistics rounded to ``levels``, its channels in order (Salimans et al. 2017).

    The decoder gives K(1 + 2C + C(C-1)/2) numbers for a pixel: 10 K for colour, 3 K for grey. They are read in the unit
    of y = 2x - 1, as in the paper. The means of green move with red, those of blue with red and green, so that an
    autoregressive decoder need not draw the channels one by one. It gives masses: bits per dimension compare with
    published ones.

    Args:
        components: K.
        levels: of a channel.

    Raises:
        ValueError: when there are no components or fewer than two levels.

    Example:
        >>> p = DiscretizedLogisticMixture(components=2, levels=2)
        >>> p.log_prob(torch.zeros(1, 20, 1, 1), torch.ones(1, 3, 1, 1))  # three times black or white, at even odds
        tensor([-2.0794])
    """

    support = (0.0, 1.0)
    discrete = True
    fit = "learned"

    def __init__(self, components: int = 5, levels: int = 256) -> None:
        super().__init__()
        self.components, self.levels = integer("components", components), integer("levels", levels, low=2)

    def parents(self, channels: int) -> tuple[int, ...]:
        return (0,) * (self.components * (1 + 2 * channels + channels * (channels - 1) // 2))

    def forward(self, params: Tensor) -> LogisticMixture:
        each = params.shape[1] / self.components  # 1 + 2C + C(C-1)/2 = (C² + 3C + 2) / 2
        channels = round((math.sqrt(8 * each + 1) - 3) / 2)
        return LogisticMixture(params, self.components, channels, self.levels)

    def quantile(self, params: Tensor, u: Tensor) -> Tensor:
        pixels: Tensor = self(params).icdf(inside(u))
        return pixels

    def check(self, x: Tensor) -> None:
        check_levels(x, self.levels)

    def constant_distortion(self, x: Tensor, mean: Tensor, variance: float) -> Tensor:
        """Of one logistic of the best scale at the mean, not of a mixture."""
        return -best_logistic(x, mean, variance, self.levels).log_prob(x).flatten(1).sum(1)
