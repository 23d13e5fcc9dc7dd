"""A linear VAE's figures beside what its theory says."""

import math
from collections.abc import Sequence

from vae_lab.report.figures import rounded
from vae_lab.report.table import Content, say, show
from vae_lab.runs.result import Result, Theory

SLACK = (0.02, 0.02)  # of the total rate, and nats per dimension: how near the total rate must be to agree

SHARED = (
    "the formula is exact for diagonal networks on unrotated data (encoder.diagonal=true decoder.diagonal=true "
    "data.rotate=false); other linear networks reach its loss or a lower one"
)
LATE = "the schedule ends after the run: the theory uses the coefficients of the last step, and training lags behind"


def oracle_content(result: Result, theory: Theory) -> Content:
    """A row per latent, in the order of falling rate, and one for each total: measured, theory, difference."""
    rates = zip(theory.eigenvalues, measured_rates(result), theory.rate_dim, strict=False)
    rows = [row(f"KL of dimension {i} (λ = {value:.4g})", m, t) for i, (value, m, t) in enumerate(rates, start=1)]
    rows.append(row("KL (rate)", result.figure("rate"), sum(theory.rate_dim)))
    rows.append(row("distortion", result.figure("distortion"), theory.distortion))
    if result.objective and result.objective.learned_variance:
        rows.append(row("σ²", result.objective.variance, theory.variance))
    rows.append(["collapsed dimensions", str(result.unused), str(theory.collapsed), ""])
    return Content(["", "measured", "theory", "difference"], rows, words=0)


def measured_rates(result: Result) -> list[float]:
    """The rate of each dimension, falling."""
    return sorted(result.figures_by_dimension("rate_dim"), reverse=True)


def row(name: str, measured: float | None, theory: float) -> list[str]:
    """One figure beside its theory."""
    value = math.nan if measured is None else measured
    return [name, rounded(value, 4), rounded(theory, 4), rounded(value - theory, 4)]


def agreement(result: Result, theory: Theory) -> str:
    """Whether the rates agree, and what is expected where they need not."""
    if not theory.exact:
        return SHARED
    if result.objective and result.objective.schedule_end > result.steps:
        return LATE
    return compared(measured_rates(result), theory.rate_dim)


def compared(measured: Sequence[float], expected: Sequence[float]) -> str:
    """How far measured rates (D,) lie from the expected ones, and whether that is near enough."""
    total = abs(sum(measured) - sum(expected))
    worst = max(abs(m - t) for m, t in zip(measured, expected, strict=True))
    in_one = SLACK[0] * sum(expected) + SLACK[1]
    in_total = SLACK[0] * sum(expected) + SLACK[1] * len(expected)
    verdict = "agree" if total <= in_total and worst <= in_one else "DISAGREE"
    return (
        f"the rates {verdict}: {total:.3f} nats apart in total, {worst:.3f} in the worst dimension (allowed: "
        f"{SLACK[0]:.0%} of the total rate + {SLACK[1]} nats per dimension: {in_total:.3f} in total, {in_one:.3f} in "
        "one dimension)"
    )


def show_oracle(result: Result) -> None:
    """Print both, for a result that has a theory."""
    assert result.theory is not None
    show(oracle_content(result, result.theory).rich())
    say([agreement(result, result.theory)])
