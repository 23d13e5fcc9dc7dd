"""A linear VAE's figures beside what its theory says."""

from collections.abc import Mapping
from typing import Any

from vae_lab.report.table import Content, rounded, show

SLACK = (0.02, 0.02)  # of the total rate, and nats per dimension: how near the total rate must be to agree


def oracle_content(result: Mapping[str, Any]) -> Content:
    """A row per latent, in the order of falling rate, and one for each total: measured, theory, difference."""
    theory, metrics = result["theory"], result["metrics"]
    measured = sorted(metrics["test/rate_dim"], reverse=True)
    rows = [
        row(f"KL of dimension {i + 1} (λ = {value:.4g})", m, t)
        for i, (value, m, t) in enumerate(zip(theory["eigenvalues"], measured, theory["rate_dim"], strict=False))
    ]
    rows.append(row("KL (rate)", metrics["test/rate"], sum(theory["rate_dim"])))
    rows.append(row("distortion", metrics["test/distortion"], theory["distortion"]))
    if result["objective"]["learned_variance"]:
        rows.append(row("σ²", result["objective"]["variance"], theory["variance"]))
    rows.append(["collapsed dimensions", str(result["unused"]), str(theory["collapsed"]), ""])
    return Content(["", "measured", "theory", "difference"], rows, words=0)


def row(name: str, measured: float, theory: float) -> list[str]:
    """One figure beside its theory."""
    return [name, rounded(measured, 4), rounded(theory, 4), rounded(measured - theory, 4)]


def agreement(result: Mapping[str, Any]) -> str:
    """Whether the rates agree, and what is expected where they need not."""
    theory = result["theory"]
    if not theory["exact"]:
        return (
            "the formula holds for diagonal networks on data in their own axes (encoder.diagonal=true "
            "decoder.diagonal=true data.rotate=false); these share directions between latents and end at or below it"
        )
    if result["objective"].get("schedule_end", 0) > result.get("steps", 0):
        return (
            "the schedule ends after the run: the theory is of the coefficients at its last step, which training trails"
        )
    measured, expected = sorted(result["metrics"]["test/rate_dim"], reverse=True), theory["rate_dim"]
    total = abs(sum(measured) - sum(expected))
    worst = max(abs(m - t) for m, t in zip(measured, expected, strict=True))
    slack = SLACK[0] * sum(expected)
    agrees = total <= slack + SLACK[1] * len(expected) and worst <= slack + SLACK[1]
    return (
        f"the rates {'agree' if agrees else 'DISAGREE'}: {total:.3f} nats apart in all, {worst:.3f} in the worst "
        f"dimension (allowed: {SLACK[0]:.0%} of the total rate + {SLACK[1]} nats per dimension: "
        f"{slack + SLACK[1] * len(expected):.3f} in all, {slack + SLACK[1]:.3f} in one)"
    )


def show_oracle(result: Mapping[str, Any]) -> None:
    """Print both."""
    show(oracle_content(result).rich())
    print(agreement(result))
