"""What a diagnosis looked at, in words: (check, its figure), in the order in which a person would look."""

from vae_lab.diagnosis.evidence import LOW_RATE, Evidence
from vae_lab.diagnosis.verdict import is_used

SHOWN = 4  # eigenvalues
LISTED = 8  # dimensions

IMPROVING = {
    True: "still improving",
    False: "no longer improving",
    None: "too few validations to tell whether it still improved",
}


def checks(evidence: Evidence) -> list[tuple[str, str]]:
    """All checks for which there is a figure.

    Example:
        >>> checks(Evidence(effective_beta=4.0, rate_weight=4.0, rate=0.02))
        [('effective β', '4 = rate weight 4 × kl_weight 1'), ('KL (rate)', '0.020 nats')]
    """
    found = {
        "effective β": effective_beta(evidence),
        "spectrum": spectrum(evidence),
        "variance σ²": variance(evidence),
        "KL over training": history(evidence),
        "shuffle gap": shuffle_gap(evidence),
        "mutual information": mutual_information(evidence),
        "KL (rate)": rate(evidence),
        "length": length(evidence),
        "batch-wise terms": batchwise_terms(evidence),
        "continuation": str(evidence.continuation or ""),
    }
    return [(check, words) for check, words in found.items() if words]


def effective_beta(e: Evidence) -> str:
    """β and what it is made of."""
    price = f" × price {e.price:.4g}" if e.price != 1 else ""
    pull = " (the rate is below its target and is pulled up)" if e.price < 0 else ""
    averaged = f" × {e.pixels or '?'} pixels (distortion averaged)" if e.distortion_reduction == "mean" else ""
    return f"{e.effective_beta:.4g} = rate weight {e.rate_weight:g} × kl_weight {e.kl_weight:g}{price}{pull}{averaged}"


def spectrum(e: Evidence) -> str:
    """How many eigenvalues of the data lie above the effective β."""
    if not e.spectrum or e.price <= 0:
        return ""
    more = ", ..." if len(e.spectrum) > SHOWN else ""
    values = ", ".join(f"{value:.3g}" for value in e.spectrum[:SHOWN])
    return f"{e.directions} of the first {len(e.spectrum)} eigenvalues lie above the effective β ({values}{more})"


def variance(e: Evidence) -> str:
    """A Gaussian's σ², and what β makes of it."""
    if e.variance is None:
        return ""
    return f"{e.variance:.4g}" + (f"; βσ² = {e.effective_beta * e.variance:.4g}" if e.price > 0 else "")


def history(e: Evidence) -> str:
    """How the rate went on the validation split."""
    if not e.rates:
        return ""
    last_step, last = e.rates[-1]
    highest = max(rate for _, rate in e.rates)
    end = f"{last:.3f} nats at step {last_step}"
    if e.still_rising:
        return f"still rising, {end}"
    if e.peak is not None:
        step, top = e.peak
        weight = e.weight_at(step)
        there = f" (kl_weight {weight:g})" if weight is not None else ""
        return f"rose to {top:.2f} nats at step {step}{there}, then fell to {last:.3f} at step {last_step}"
    if highest < LOW_RATE:
        return f"never rose, {end}"
    return f"fell from {highest:.3f} to {end}" if last < 0.5 * highest else f"rose and stayed, {end}"


def shuffle_gap(e: Evidence) -> str:
    """How much shuffling z between images costs, and which dimensions cost anything."""
    if e.shuffle_gap is None:
        return ""
    pairs = enumerate(zip(e.shuffle_gap_dim, e.shuffle_gap_dim_se, strict=True))
    used = [f"z{j}" for j, (gap, error) in pairs if is_used(gap, error)]
    listed = f"{', '.join(used[:LISTED]) or 'none'}{', ...' if len(used) > LISTED else ''}"
    return f"{e.shuffle_gap:.3f} ± {e.shuffle_gap_se:.3f} nats; dimensions with a gap of their own: {listed}"


def mutual_information(e: Evidence) -> str:
    """What z carries about x, beside what it could carry at most."""
    if e.mutual_information is None:
        return ""
    ceiling = f" of at most {e.mutual_information_ceiling:.2f} (log N)" if e.mutual_information_ceiling else ""
    return f"{e.mutual_information:.3f} nats{ceiling}"


def rate(e: Evidence) -> str:
    """The rate, and the floor that holds it up."""
    if e.rate is None:
        return ""
    return f"{e.rate:.3f} nats" + (f", held at its floor of {e.rate_floor:.3g}" if e.held_at_floor else "")


def length(e: Evidence) -> str:
    """The number of steps, and whether they were enough."""
    if not e.steps:
        return ""
    late = f"; the schedule ends later, at step {e.schedule_end}" if e.cut_short else ""
    return f"{e.steps} steps, {IMPROVING[e.unfinished]}{late}"


def batchwise_terms(e: Evidence) -> str:
    """What of the loss is computed over the batch."""
    return f"{e.batchwise_terms}: figures depend on the batch size" if e.batchwise_terms else ""
