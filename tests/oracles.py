"""The metrics on cases whose answer is known, expected beside measured, as the tables of docs/oracles.md.

python tests/oracles.py
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from vae_lab.elbo.divergences import mmd
from vae_lab.elbo.priors import StandardNormal
from vae_lab.metrics import (
    MutualInformation,
    ShuffleGap,
    active_units,
    beta_vae_score,
    dci,
    factor_vae_score,
    frechet_distance,
    importance_weighted_nll,
    mig,
    mutual_information,
    mutual_information_upper,
    sap,
)

VALUES = 6  # of each of three factors
FACTORS = torch.cartesian_prod(*[torch.arange(VALUES)] * 3).repeat(5, 1)  # 1,080 images: a whole grid, five times
SCORES = ("MIG", "SAP", "DCI: D", "DCI: C", "DCI: I", "FactorVAE", "β-VAE")
CHANCE = 1 / VALUES
LEFT = 1 - 2 / 3 * math.log(2) / math.log(3)  # of DCI, where two of three codes serve two factors alike
EXPECTED = {
    "equal to the factors": (1, 1, 1, 1, 1, 1, 1),
    "two of three rotated by 45°": (1 / 3, 1 / 3, LEFT, LEFT, 1, 2 / 3, 2 / 3),
    "constant": (0, 0, 0, 0, CHANCE, 1 / 3, 1 / 3),
    "random": (0, 0, 0, 0, CHANCE, 1 / 3, 1 / 3),
    "duplicated": (0, 0, 1, 1 - math.log(2) / math.log(6), 1, 1, 1),
    # of DCI: the forest of that factor takes both codes alike for the noise that they are to it
    "one factor missing": (2 / 3, 2 / 3, 1 - LEFT, 2 / 3, (2 + CHANCE) / 3, 2 / 3, 1),
}


def randn(*shape: int, seed: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def codes_of(case: str) -> Tensor:
    """The codes (N, D) of a case of ``EXPECTED``."""
    exact = FACTORS.double()
    c = math.sqrt(0.5)
    turn = torch.tensor([[c, -c, 0], [c, c, 0], [0, 0, 1]], dtype=torch.float64)
    return {
        "equal to the factors": exact,
        "two of three rotated by 45°": (exact - exact.mean(0)) @ turn.T,
        "constant": torch.ones_like(exact),
        "random": randn(len(exact), 3, seed=0),
        "duplicated": torch.cat([exact, exact], 1),
        "one factor missing": exact[:, :2],
    }[case]


def scores_of(codes: Tensor) -> list[float]:
    """The figures of ``SCORES``, with as many bins, trees and votes as ``metrics=disentanglement`` takes."""
    by_factors = (factor_vae_score(codes, FACTORS), beta_vae_score(codes, FACTORS))
    return [float(score) for score in (mig(codes, FACTORS), sap(codes, FACTORS), *dci(codes, FACTORS), *by_factors)]


def channel(gains: list[float], n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Posterior means, widths and samples (n, D) of z = g x + noise, whose information is Σ ½ log(1 + g²)."""
    mean = torch.tensor(gains, dtype=torch.float64) * randn(n, len(gains), seed=1)
    return mean, torch.ones_like(mean), mean + randn(*mean.shape, seed=2)


def upper(mean: Tensor, stddev: Tensor, z: Tensor) -> float:
    """The upper bound of the information."""
    prior = StandardNormal()
    rate = prior.rate(mean, stddev).sum(1)
    return float(mutual_information_upper(mean, stddev, z, rate, prior.log_prob)[0])


def gap(z: Tensor, used: int) -> float:
    """The shuffle gap of a decoder N(z, I) of the images z (N, D) that reads the first ``used`` latents."""

    def distortion(z: Tensor, x: Tensor, indices: Tensor | None = None) -> Tensor:
        return 0.5 * (x.flatten(1)[:, :used] - z[:, :used]).square().sum(1)

    x, metric = z[:, None, None, :], ShuffleGap(distortion)
    metric.update(torch.arange(len(z)), x, z, distortion(z, x), z, 1e-9 * torch.ones_like(z))
    return float(metric.compute()["shuffle_gap"])


def likelihood(k: int, exact: bool) -> float:
    """The bound of x = 1 under z ~ N(0, 1), x|z ~ N(z, 1/4), with the posterior or the prior as proposal."""
    mean, variance = (0.8, 0.2) if exact else (0.0, 1.0)
    z = mean + variance**0.5 * randn(k, 1, seed=3)
    joint = log_normal(z, 0, 1) + log_normal(torch.ones(()), z, 0.25)
    return float(importance_weighted_nll(joint - log_normal(z, mean, variance)))


def log_normal(value: Tensor, mean: Tensor | float, variance: float) -> Tensor:
    """The log density of N(mean, variance)."""
    return -0.5 * ((value - mean) ** 2 / variance + math.log(2 * math.pi * variance))


def discrepancy(kernel: str, bandwidth: float) -> float:
    """MMD² of 4,000 samples of N(0, I) and of N(0.3, 0.36 I) in eight dimensions."""
    x, y = randn(4000, 8, seed=4), 0.3 + 0.6 * randn(4000, 8, seed=5)
    return float(mmd(x, y, kernel, torch.tensor(bandwidth), "unbiased"))


def ceiling() -> float:
    """The information of 1,500 posteriors that do not touch."""
    metric, mean = MutualInformation(), 30 * torch.arange(1500.0)[:, None]
    metric.update(torch.arange(1500), mean, torch.ones_like(mean), mean, torch.zeros_like(mean))
    return float(metric.compute()["mutual_information"])


def others() -> Iterator[tuple[str, str, float, float, float]]:
    """(metric, case, expected, measured, how far apart they may lie) of the other metrics."""
    m1, m2, v1, v2 = torch.zeros(3), torch.ones(3), torch.tensor([1.0, 4, 9]).diag(), torch.tensor([4.0, 4, 1]).diag()
    yield (
        "Fréchet distance",
        "N(0, diag(1, 4, 9)), N(1, diag(4, 4, 1))",
        8,
        float(frechet_distance(m1, v1, m2, v2)),
        1e-4,
    )
    yield "Fréchet distance", "a Gaussian and itself", 0, float(frechet_distance(m1, v1, m1, v1)), 1e-4
    for gains in ([2.0, 0.0], [1.0, 0.7, 0.3]):
        truth, drawn = sum(0.5 * math.log(1 + g * g) for g in gains), channel(gains, 10_000)
        case = f"linear channel of gains {', '.join(f'{g:g}' for g in gains)}"
        yield "MI", case, truth, float(mutual_information(*drawn)), 0.04
        yield "MI, upper bound", case, truth, upper(*(part[:2000] for part in drawn)), 0.1
    yield "MI", "one posterior for all images", 0, float(mutual_information(*channel([0.0, 0.0], 2000))), 1e-6
    yield "MI", "1,500 posteriors that do not touch: log 1500", math.log(1500), ceiling(), 1e-6
    z = torch.tensor([2.0, 1.0, 0.1]) * randn(13_000, 3, seed=6)
    yield "shuffle gap", "decoder N(z, I), Var z = (4, 1, 0.01)", 5.01, gap(z, used=3), 0.2
    yield "shuffle gap", "the same, decoder ignores z", 0, gap(z, used=0), 1e-9
    variances = torch.tensor([1, 0.5, 0.0099, 0.0])
    drawn = randn(1000, 4, seed=7)
    means = (drawn - drawn.mean(0)) / drawn.std(0, correction=0) * variances.sqrt()
    yield "active units", "variances 1, 0.5, 0.0099, 0", 2, float(active_units(means)), 0
    yield "NLL", "x = 1, exact posterior, K = 1", 1.430510, likelihood(1, exact=True), 1e-6
    yield "NLL", "x = 1, prior as proposal, K = 100,000", 1.430510, likelihood(100_000, exact=False), 0.02
    yield "MMD², rbf, ℓ² = 8", "N(0, I), N(0.3, 0.36 I), D = 8", 0.0909957, discrepancy("rbf", 8.0), 0.005
    yield "MMD², imq, C = 16", "the same", 0.0697997, discrepancy("imq", 16.0), 0.005


def main() -> None:
    """Print both tables."""
    print(f"| codes | {' | '.join(SCORES)} |\n| --- |{' ---: |' * len(SCORES)}")
    for case, expected in EXPECTED.items():
        pairs = zip(scores_of(codes_of(case)), expected, strict=True)
        cells = (f"{found:.3f} ({known:.3f})" for found, known in pairs)
        print(f"| {case} | {' | '.join(cells)} |")
    print("\n| metric | case | expected | measured |\n| --- | --- | ---: | ---: |")
    for metric, case, expected, found, _ in others():
        print(f"| {metric} | {case} | {expected:.4f} | {found + 0.0:.4f} |")


if __name__ == "__main__":
    main()
