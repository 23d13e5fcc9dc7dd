"""From the figures of a run to the cause of its collapse. Pure: evidence in, checks and one cause out.

A cause is *established* when a figure proves what it says: that the effective β makes the collapsed state a local
optimum (it lies above the first eigenvalue of ``vae_lab.spectrum``), or that the decoder's answer does not change at
all with z. A local optimum is no proof that nothing better lies elsewhere: on data far from linear, annealing may reach
it. A cause is *likely* when the figures fit it and nothing else that is checked here; where they support none, none is
named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from vae_lab.diagnosis.verdict import REACHED, held_at_floor, is_used

PLAIN = (None, "VAE", "BetaVAE")  # models whose prior is N(0, I) and whose loss has no further term
NO_VARIANCE = 1e-9  # eigenvalues below are rounding
GENTLE = 10.0  # a γ of capacity annealing that leaves the distortion its say
ROSE = 0.3  # nats of rate above its end that count as "rose and then fell"


@dataclass(frozen=True)
class Evidence:
    """What is known of a run; None where it is not known. Nats per image, steps of the optimizer."""

    effective_beta: float
    rate_weight: float = 1.0
    kl_weight: float = 1.0
    price: float = 1.0
    autoregressive: bool = False
    distortion_reduction: str = "sum"
    pixels: int | None = None
    likelihood: str | None = None
    variance: float | None = None
    learned_variance: bool = False
    assumed: bool = False
    spectrum: Sequence[float] = ()
    latent_dim: int | None = None
    verdict: str | None = None
    unused: int = 0
    rate: float | None = None
    distortion: float | None = None
    distortion_target: float | None = None
    rate_floor: float = 0.0
    held_at_floor: bool = False
    mutual_information: float | None = None
    mutual_information_ceiling: float | None = None
    shuffle_gap: float | None = None
    shuffle_gap_se: float = 0.0
    shuffle_gap_dim: Sequence[float] = ()
    shuffle_gap_dim_se: Sequence[float] = ()
    model: str | None = None
    steps: int | None = None
    unfinished: bool | None = False
    schedule_end: int = 0
    rates: Sequence[tuple[int, float]] = ()
    weights: Mapping[int, float] = field(default_factory=dict)

    @property
    def directions(self) -> int:
        """How many of the first D directions of the data are worth their nats at the effective β."""
        return sum(value > self.effective_beta for value in self.spectrum)

    @property
    def peak(self) -> tuple[int, float] | None:
        """(step, rate) of the highest rate on the way, where it lies clearly above the last one."""
        if not self.rates:
            return None
        step, rate = max(self.rates, key=lambda point: point[1])
        return (step, rate) if rate > self.rates[-1][1] + ROSE else None

    @property
    def still_rising(self) -> bool:
        """Whether the rate rose at each of the last three validations, and not by a hair."""
        last = [rate for _, rate in self.rates[-3:]]
        return len(last) == 3 and all(a < b for a, b in pairwise(last)) and last[-1] > 1.5 * last[0]


class Cause(NamedTuple):
    """``kind`` names it for programs, ``words`` for people; ``change`` is what to try, as overrides.

    ``certainty`` is ``established``, ``likely``, or empty where nothing is claimed.
    """

    kind: str
    words: str
    certainty: str
    change: Mapping[str, Any]


class Diagnosis(NamedTuple):
    """The one cause, and what was looked at: (check, figure in words)."""

    cause: Cause
    checks: Sequence[tuple[str, str]]


def evidence_of(result: Mapping[str, Any], curves: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Evidence:
    """The evidence in a finished run's ``result.json`` and curves."""
    metrics, objective = result["metrics"], result["objective"]
    known = {name: objective[name] for name in Evidence.__dataclass_fields__ if name in objective}
    known |= {name: result[name] for name in Evidence.__dataclass_fields__ if name in result}
    known |= {name: metrics[f"test/{name}"] for name in Evidence.__dataclass_fields__ if f"test/{name}" in metrics}
    steps, rates = curves.get("val/rate", ((), ()))
    weights = dict(zip(*curves.get("coef/kl_weight", ((), ())), strict=True))
    known["held_at_floor"] = held_at_floor(known["rate"], known["rate_floor"])
    return Evidence(**known, rates=list(zip(steps, rates, strict=True)), weights=weights)


def diagnose(evidence: Evidence) -> Diagnosis:
    """Run all checks in order and name the one cause that their figures support."""
    return Diagnosis(name_cause(evidence), checks(evidence))


def name_cause(e: Evidence) -> Cause:
    """The first cause that fits."""
    starved = e.price == 1 and bool(e.spectrum) and e.effective_beta > 0 and e.effective_beta >= e.spectrum[0]
    low = e.rate is not None and e.rate < 0.1 if e.verdict is None else e.verdict == "full"
    if not low and not (starved and e.held_at_floor):
        return not_collapsed(e)
    only_floor = "" if low else "only the floor holds the rate up: "
    if e.spectrum and e.spectrum[0] < NO_VARIANCE:
        return Cause("constant", "the training images do not vary: there is nothing to encode", "established", {})
    if e.distortion_reduction == "mean" and (starved or (not e.spectrum and e.effective_beta > 1)):
        times = f"{e.rate_weight * e.kl_weight:g} × {e.pixels} pixels" if e.pixels else "β × the number of pixels"
        cause = f"{only_floor}pixels are averaged, not summed: effective β = {times} = {e.effective_beta:g}"
        return Cause("averaged", cause, certainty(e, starved), {"model.distortion_reduction": "sum", **plain_beta(e)})
    if low and e.shuffle_gap == 0 and not any(e.shuffle_gap_dim):
        words = "the decoder does not read z: no exchange of z changes its answer"
        return Cause("decoder", words, "established", {"decoder": "mlp"})
    if None not in (e.distortion_target, e.distortion) and e.distortion <= 1.02 * e.distortion_target:  # type: ignore
        words = f"the distortion target of {e.distortion_target:g} nats is met without z"
        return Cause("target", words, "established", {"control.target": float(f"{0.8 * e.distortion:.3g}")})  # type: ignore
    if starved:
        return starvation(e, only_floor)
    if e.likelihood == "Gaussian" and (e.variance or 0) >= 1 and not e.spectrum:
        return variance_cause(e, only_floor, "likely")
    return unpaid(e)


def certainty(e: Evidence, starved: bool) -> str:
    """The grade of a cause that rests on the spectrum, whose theory is that of the plain ELBO with a weight."""
    return "established" if starved and e.model in PLAIN and not e.assumed else "likely"


def plain_beta(e: Evidence) -> dict[str, Any]:
    """β = 1 beside another change, where β lies above it: one cure alone would leave the other cause."""
    return {"model.beta": 1.0} if e.rate_weight > 1 and e.model in (None, "BetaVAE") else {}


def not_collapsed(e: Evidence) -> Cause:
    """The answer where z is in use, or where only a KL is known."""
    if e.verdict is None:
        words = "the KL is not near 0; whether z is used, only exchanging z between images can tell"
        return Cause("none", words, "", {})
    if e.kl_weight < 1 and e.steps and e.schedule_end > e.steps:
        return Cause("none", f"not collapsed so far, at kl_weight {e.kl_weight:g}: the schedule has not ended", "", {})
    if e.verdict == "partial" and e.latent_dim:
        used = e.latent_dim - e.unused
        words = f"not collapsed: {used} of {e.latent_dim} dimensions in use, the others cost nothing"
        return Cause("none", words, "", {})
    return Cause("none", "not collapsed", "", {})


def starvation(e: Evidence, only_floor: str) -> Cause:
    """β, or a Gaussian's variance, above all that the data pay for."""
    top = e.spectrum[0]
    if e.likelihood == "Gaussian" and not e.learned_variance and top <= 1:
        return variance_cause(e, only_floor, certainty(e, True))
    cause = f"{only_floor}β = {e.effective_beta:.3g} is too large: the linear limit of these data is {top:.3g}"
    change: dict[str, Any] = {"model.beta": float(f"{min(1.0, top / 3):.1g}")}
    change = change if e.model in (None, "BetaVAE") else {"model": "beta_vae", **change}
    return Cause("beta", cause, certainty(e, True), change)


def variance_cause(e: Evidence, only_floor: str, grade: str) -> Cause:
    """A fixed variance that drowns the data even at β = 1."""
    variance = e.variance or 1.0
    limit = f", the data's largest linear variance is {e.spectrum[0] * variance:.3g}" if e.spectrum else ""
    cause = f"{only_floor}σ² = {variance:g} is too large: βσ² = {e.effective_beta * variance:.3g}{limit}"
    return Cause("variance", cause, grade, {"likelihood": "gaussian_learned", **plain_beta(e)})


def unpaid(e: Evidence) -> Cause:
    """z is ignored although the data would pay for it, as far as that is known."""
    if e.steps and e.schedule_end > e.steps:
        words = f"the run ended at step {e.steps}, before its schedule does at {e.schedule_end}"
        return Cause("short", words, "likely", {"trainer.max_steps": 2 * e.schedule_end})
    if e.steps and e.rate is not None and e.rate < REACHED * e.rate_floor:
        words = f"the rate of {e.rate:.3g} nats has not reached the {e.rate_floor:.3g} that the method aims at"
        return Cause("short", words, "likely", {"trainer.max_steps": 5 * e.steps})
    if e.held_at_floor:
        cause = f"the method holds the rate at {e.rate_floor:.3g} nats, and nothing is encoded in it"
        change: dict[str, Any] = {"model": "beta_vae"} if e.model in ("DeltaVAE", "BNVAE") else {}
        if e.price < -GENTLE:
            cause, change = f"{cause}: γ = {-e.price:g} drowns the distortion", {"annealing.gamma": GENTLE}
        return Cause("floor", cause, "established", change)
    if e.autoregressive and not e.still_rising:
        return reads_pixels(e)
    if e.steps and (e.still_rising or e.unfinished):
        change = {"trainer.max_steps": 5 * e.steps}
        return Cause("short", f"the run is too short: after {e.steps} steps it was still improving", "likely", change)
    weight = weight_at(e.weights, e.peak[0]) if e.peak else None
    if e.peak and weight is not None and weight < e.kl_weight:
        step, rate = e.peak
        went = f"kl_weight went on from {weight:g} to {e.kl_weight:g}"
        cause = f"the KL rose to {rate:.2f} nats at step {step}, and fell as {went}"
        return Cause("fell", cause, "likely", {"annealing": "linear", "annealing.steps": 2 * e.schedule_end or e.steps})
    return Cause("unknown", "no cause that these figures support", "", {"seed": "0,1,2"})


def reads_pixels(e: Evidence) -> Cause:
    """A decoder that can do without z: free bits hold a rate open for it, where nothing prices the rate already."""
    words = "the decoder predicts each pixel from those before it, and does without z"
    change: dict[str, Any] = {"decoder": "mlp"}
    if e.price == 1 and e.rate_floor == 0:
        change = {"free_bits": "total", "free_bits.epsilon": 2.0}
    return Cause("autoregressive", words, "likely", change)


def weight_at(weights: Mapping[int, float], step: int) -> float | None:
    """The KL weight logged nearest to a step."""
    return weights[min(weights, key=lambda logged: abs(logged - step))] if weights else None


def checks(e: Evidence) -> list[tuple[str, str]]:
    """(what was looked at, its figure in words), in the order in which a person would look."""
    found: list[tuple[str, str]] = []
    price = f" × price {e.price:.4g}" if e.price != 1 else ""
    pull = " (below its target the rate is pulled up)" if e.price < 0 else ""
    parts = f"rate weight {e.rate_weight:g} × kl_weight {e.kl_weight:g}{price}{pull}"
    averaged = f" × {e.pixels or '?'} pixels (distortion averaged)" if e.distortion_reduction == "mean" else ""
    found.append(("effective β", f"{e.effective_beta:.4g} = {parts}{averaged}"))
    if e.spectrum and e.price > 0:
        top = ", ".join(f"{value:.3g}" for value in e.spectrum[:4])
        total = f"{e.directions} of the first {len(e.spectrum)} directions are worth more than that ({top}, ...)"
        found.append(("what the data pay for", f"{total}; linear prediction"))
    if e.variance is not None:
        product = f"; βσ² = {e.effective_beta * e.variance:.4g}" if e.price > 0 else ""
        found.append(("variance σ²", f"{e.variance:.4g}{product}"))
    if e.rates:
        found.append(("the KL's way", way(e)))
    if e.shuffle_gap is not None:
        pairs = enumerate(zip(e.shuffle_gap_dim, e.shuffle_gap_dim_se, strict=True))
        dims = [f"z{j}" for j, (gap, error) in pairs if is_used(gap, error)]
        carried = f"; by dimension: {', '.join(dims[:8]) or 'none'}{' ...' if len(dims) > 8 else ''}"
        found.append(("shuffling z costs", f"{e.shuffle_gap:.3f} ± {e.shuffle_gap_se:.3f} nats{carried}"))
    if e.mutual_information is not None:
        ceiling = f" of at most {e.mutual_information_ceiling:.2f} (log N)" if e.mutual_information_ceiling else ""
        found.append(("mutual information", f"{e.mutual_information:.3f} nats{ceiling}"))
    if e.rate is not None:
        held = f", held at its floor of {e.rate_floor:.3g}" if e.held_at_floor else ""
        found.append(("KL (rate)", f"{e.rate:.3f} nats{held}"))
    if e.steps:
        late = f"; the schedule ends at step {e.schedule_end}, after the run" if e.schedule_end > e.steps else ""
        settled = {True: "still improving", False: "settled", None: "too few validations to tell whether it settled"}
        found.append(("length", f"{e.steps} steps, {settled[e.unfinished]}{late}"))
    if e.model in ("BNVAE", "InfoVAE"):
        found.append(("batch-wise terms", f"{e.model} depends on the batch: compare batch sizes before you trust it"))
    return found


def way(e: Evidence) -> str:
    """How the rate went on the validation split."""
    last_step, last = e.rates[-1]
    if e.still_rising:
        return f"still rising: {last:.3f} nats at step {last_step}"
    if e.peak is None:
        highest = max(rate for _, rate in e.rates)
        if last < 0.5 * highest and highest >= 0.1:
            return f"fell from {highest:.3f} to {last:.3f} nats at step {last_step}"
        trend = "never rose" if highest < 0.1 else "rose and stayed"
        return f"{trend}: {last:.3f} nats at step {last_step}"
    step, rate = e.peak
    weight = weight_at(e.weights, step)
    there = f" (kl_weight {weight:g})" if weight is not None else ""
    return f"rose to {rate:.2f} nats at step {step}{there}, fell to {last:.3f} at step {last_step}"
