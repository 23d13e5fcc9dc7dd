"""Mutual information between images and latents over a whole split."""

import math

import torch
from torch import Tensor

from vae_lab.metrics.per_image import PerImage

ROWS = 128  # samples compared with all posteriors at a time
NOTHING = -80.0  # a density e⁻⁸⁰ below the greatest adds nothing; exp() is slow where its result is subnormal


def mutual_information(mean: Tensor, stddev: Tensor, z: Tensor, chunk: int = ROWS) -> Tensor:
    """Estimate the mutual information of x and z under q, nats: (), as He et al. 2019 do (section 4.2).

    I_q(x; z) = E log q(z|x) - E log q(z)

    q(z) is the mixture of all N posteriors, and the expectation is over one sample of each; the result cannot exceed
    log N. Computed in float64, N x ``chunk`` densities at a time.

    Args:
        mean: (N, D), posterior means.
        stddev: (N, D), posterior standard deviations.
        z: (N, D), one sample of each posterior.
        chunk: how many samples to compare with all posteriors at a time.

    Example:
        >>> mean = torch.tensor([[-9.0], [9.0]])  # two images whose latents never meet: one bit
        >>> round(mutual_information(mean, torch.ones(2, 1), mean).item() / math.log(2), 6)
        1.0
    """
    mean, stddev, z = mean.double(), stddev.double(), z.double()
    precision, log_scale = stddev.square().reciprocal(), stddev.log().sum(1)
    constant = -0.5 * (mean.square() * precision).sum(1) - log_scale
    own = -0.5 * ((z - mean) / stddev).square().sum(1) - log_scale
    # log q(z_i|x_j) is a product of features of z_i and of q_j, so that all pairs cost one matrix product
    of_samples = torch.cat([z.square(), z, torch.ones_like(z[:, :1])], 1)
    of_posteriors = torch.cat([-0.5 * precision, mean * precision, constant[:, None]], 1).T.contiguous()
    # one buffer for all rounds: fresh ones, with results allocated between them, would leave holes of their size
    log_q, buffer = torch.empty_like(own), own.new_empty(min(chunk, len(z)), len(z))
    for rows in torch.arange(len(z), device=z.device).split(chunk):
        pairs = torch.mm(of_samples[rows], of_posteriors, out=buffer[: len(rows)])
        # a sample's own posterior, where the terms may cancel to nothing, is put in exactly
        pairs[torch.arange(len(rows), device=z.device), rows] = own[rows]
        greatest = pairs.amax(1)
        total = pairs.sub_(greatest[:, None]).clamp_(min=NOTHING).exp_().sum(1)
        log_q[rows] = greatest + total.log() - math.log(len(z))
    return (own - log_q).mean()


class MutualInformation(PerImage):
    """``mutual_information`` over a split, with its ceiling log N and what of the rate it leaves.

    prior_gap = rate - I_q(x; z) = KL( q(z) ‖ p(z) )   (Hoffman & Johnson 2016)

    ``update`` takes ``indices`` (B,) and ``mean``, ``stddev``, ``z`` and ``rate``, each (B, D). ``compute`` gives
    ``mutual_information``, ``mutual_information_ceiling`` and ``prior_gap``, (), nats per image, of the same images.
    An average over small batches would saturate at the logarithm of their size instead.

    Args:
        images: measure this many images, evenly spread over the split, in place of all: N² pairs cost less, but the
            ceiling is lower too.

    Example:
        >>> metric = MutualInformation()
        >>> mean = torch.tensor([[-9.0], [9.0]])  # of two images whose latents never meet
        >>> metric.update(torch.arange(2), mean, torch.ones(2, 1), z=mean, rate=0.5 * mean.square())
        >>> {name: round(value.item(), 3) for name, value in metric.compute().items()}
        {'mutual_information': 0.693, 'mutual_information_ceiling': 0.693, 'prior_gap': 39.807}
    """

    def __init__(self, images: int | None = None) -> None:
        super().__init__("means", "stddevs", "zs", "rates", images=images)

    def update(self, indices: Tensor, mean: Tensor, stddev: Tensor, z: Tensor, rate: Tensor) -> None:
        self.keep(indices, mean, stddev, z, rate.double().sum(1))

    def compute(self) -> dict[str, Tensor]:
        mean, stddev, z, rate = (kept.detach() for kept in self.kept())
        information = mutual_information(mean, stddev, z)
        return {
            "mutual_information": information,
            "mutual_information_ceiling": torch.tensor(math.log(len(z)), dtype=torch.float64),
            "prior_gap": rate.mean() - information,
        }
