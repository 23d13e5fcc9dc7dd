"""The evidence that a run's record holds for its diagnosis."""

import math
from collections.abc import Mapping
from dataclasses import fields

from vae_lab.diagnosis.continuation import Continuation
from vae_lab.diagnosis.evidence import Evidence
from vae_lab.diagnosis.verdict import held_at_floor
from vae_lab.runs.curves import Curve
from vae_lab.runs.result import SPLIT, Objective, Result


def evidence_of(
    result: Result, objective: Objective, curves: Mapping[str, Curve], continuation: Continuation | None = None
) -> Evidence:
    """The evidence in a run: whatever its result, objective and figures say under the name of a field, and its probe.

    Example:
        >>> objective = Objective(model="BetaVAE", likelihood="Bernoulli", pixels=64, effective_beta=4.0)
        >>> result = Result(status="finished", seed=0, verdict="full", metrics={"test/rate": 0.02})
        >>> evidence = evidence_of(result, objective, {"val/rate": Curve([10, 20], [0.1, 0.02])})
        >>> evidence.effective_beta, evidence.rate, evidence.rates
        (4.0, 0.02, [(10, 0.1), (20, 0.02)])
    """
    names = [name.removeprefix(f"{SPLIT}/") for name in result.metrics]
    figures = {name: result.figures_by_dimension(name) or result.figure(name) for name in names}
    recorded = {**vars(objective), **vars(result), **figures}
    known = {field.name: recorded[field.name] for field in fields(Evidence) if field.name in recorded}
    return Evidence(
        **known,
        held_at_floor=held_at_floor(result.figure("rate") or 0.0, result.rate_floor),
        rates=points(curves, "val/rate"),
        weights=dict(points(curves, "coef/kl_weight")),
        train_rates=points(curves, "train/rate"),
        train_distortions=points(curves, "train/distortion"),
        continuation=continuation,
    )


def points(curves: Mapping[str, Curve], name: str) -> list[tuple[int, float]]:
    """(step, value) of a curve where it is finite; none where nothing was logged under its name."""
    curve = curves.get(name, Curve([], []))
    return [point for point in zip(curve.steps, curve.values, strict=True) if math.isfinite(point[1])]
