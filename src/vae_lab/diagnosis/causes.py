"""The causes of a collapse: an ordered tuple of rules, each from the evidence to a cause or None.

A cause is *established* when a figure proves it: the effective β lies above the first eigenvalue of the data, so that
the collapsed state is a local optimum, or the decoder's output does not change with z at all. A local optimum does not
exclude a better one elsewhere, which annealing may reach on data that are far from linear. A cause is *likely* when the
figures fit it and fit no other cause that is checked here.

What a probe has shown counts more: a continuation that ends lower with z in use proves that training had been trapped,
whatever the spectrum says; continuations that all give z up again show that the objective asks for it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from vae_lab.diagnosis.continuation import WORDS, Continuation
from vae_lab.diagnosis.evidence import Evidence
from vae_lab.diagnosis.verdict import REACHED

ESTABLISHED, LIKELY = "established", "likely"

NO_VARIANCE = 1e-9  # eigenvalues below are rounding
GENTLE = 10.0  # a γ of capacity annealing that does not outweigh the distortion
MET = 1.02  # a distortion up to this factor of its target counts as meeting it
LARGE_VARIANCE = 1.0  # σ² that is too large for pixels in [0, 1], whatever the data
LONGER = 5  # how many times longer to train a run that was too short
FEWEST_STEPS, ENOUGH_STEPS = 100, 1000  # too few for any network, and a length to try
PROVEN = ("constant", "decoder", "target", "schedule", "floor")  # kinds of causes that are facts of the run
ASKING = ("averaged", "variance", "beta", "autoregressive")  # kinds that say why an objective asks for collapse
UNREAD = 1.0  # nats of rate that a decoder which has been trained would use


class Cause(NamedTuple):
    """``kind`` names it for programs, ``words`` for people; ``change`` is what to try, as overrides.

    ``certainty`` is ``established``, ``likely``, or empty where nothing is claimed.
    """

    kind: str
    words: str
    certainty: str = ""
    change: Mapping[str, Any] = {}


Rule = Callable[[Evidence], Cause | None]

NOT_FOUND = Cause("unknown", "not found", change={"seed": "0,1,2"})


def name_cause(evidence: Evidence) -> Cause:
    """The first cause that fits, of kind ``none`` where z is in use.

    Example:
        >>> name_cause(Evidence(effective_beta=4.0, spectrum=[3.3, 1.2], verdict="full")).words
        'β = 4 is too large: the linear limit of these data is 3.3'
    """
    found = (rule(evidence) for rule in RULES)
    return probed(evidence, next((cause for cause in found if cause is not None), NOT_FOUND))


def probed(e: Evidence, cause: Cause) -> Cause:
    """The cause, in the light of what training again by continuation has shown."""
    found = e.continuation
    if found is None or found.outcome == "undecided" or cause.kind in ("none", *PROVEN):
        return cause
    if found.outcome == "trapped":
        return trapped(found, cause)
    if cause.kind in ASKING:
        return cause._replace(certainty=ESTABLISHED)
    back = f"continued from {WORDS[found.first]}, z was in use and was given up again in all {len(found.losses)} seeds"
    free = {"free_bits": "total", "free_bits.epsilon": 2.0} if e.price == 1 and e.rate_floor == 0 else {}
    return Cause("objective", f"this objective asks for collapse on these data: {back}", ESTABLISHED, free)


def trapped(found: Continuation, cause: Cause) -> Cause:
    """Training was at fault: the same objective has a better end."""
    if cause.kind == "near":  # a saddle that is left slowly
        return cause._replace(certainty=ESTABLISHED, change=found.change)
    seeds = f"{len(found.used)} of {len(found.losses)} seeds"
    better = f"the same loss ends {found.gain:.2f} nats lower, with z in use ({seeds})"
    words = f"training was trapped in the collapsed state: continued from {WORDS[found.first]}, {better}"
    return Cause("trapped", words, ESTABLISHED, found.change)


def no_collapse(e: Evidence) -> Cause | None:
    """z is in use, or only a KL is known and it is not near 0."""
    if e.low or (e.starved and e.held_at_floor):
        return None
    if e.verdict is None:
        words = "the KL is not near 0; only shuffling z between images tells whether the decoder uses it"
        return Cause("none", words)
    if e.kl_weight < 1 and e.cut_short:
        return Cause("none", f"not collapsed so far, but the schedule has not ended (kl_weight {e.kl_weight:g})")
    return Cause("none", f"not collapsed{dimensions_in_use(e)}")


def dimensions_in_use(e: Evidence) -> str:
    """How many dimensions are used of those that could be; nothing where all are."""
    if e.verdict != "partial" or not e.latent_dim:
        return ""
    used = e.latent_dim - e.unused
    if e.price != 1 or e.directions <= used:
        rest = "the others cost nothing"
    else:
        rest = f"though {e.directions} directions of the data lie above β: annealing or more steps may wake others"
    return f": {used} of {e.latent_dim} dimensions {'is' if used == 1 else 'are'} used, {rest}"


def constant_images(e: Evidence) -> Cause | None:
    """There is nothing to encode."""
    if not e.spectrum or e.spectrum[0] >= NO_VARIANCE:
        return None
    return Cause("constant", "the training images do not vary, so there is nothing to encode", ESTABLISHED)


def averaged_pixels(e: Evidence) -> Cause | None:
    """The distortion is a mean over pixels, which multiplies β by their number."""
    if e.distortion_reduction != "mean" or not (e.starved or (not e.spectrum and e.effective_beta > 1)):
        return None
    times = f"{e.rate_weight * e.kl_weight:g} × {e.pixels} pixels" if e.pixels else "β × the number of pixels"
    words = f"{only_floor(e)}pixels are averaged, not summed: effective β = {times} = {e.effective_beta:g}"
    return Cause("averaged", words, by_spectrum(e), {"model.distortion_reduction": "sum", **unit_weight(e)})


def unread_latent(e: Evidence) -> Cause | None:
    """The decoder's output does not depend on z."""
    if not e.low or e.shuffle_gap != 0 or any(e.shuffle_gap_dim):
        return None
    return Cause("decoder", "the decoder does not read z: shuffling z changes nothing", ESTABLISHED, {"decoder": "mlp"})


def easy_target(e: Evidence) -> Cause | None:
    """A controller lets the rate go once the distortion meets its target."""
    if e.distortion_target is None or e.distortion is None or e.distortion > MET * e.distortion_target:
        return None
    words = f"the distortion target of {e.distortion_target:g} nats is met without z"
    return Cause("target", words, ESTABLISHED, {"control.target": float(f"{0.8 * e.distortion:.3g}")})


def large_variance(e: Evidence) -> Cause | None:
    """A fixed σ² hides the data even at β = 1."""
    if e.variance is None or e.learned_variance:
        return None
    proven = e.starved and e.spectrum[0] <= 1
    if not proven and (e.spectrum or e.variance < LARGE_VARIANCE):
        return None
    limit = f", the largest eigenvalue of the data is {e.spectrum[0] * e.variance:.3g}" if e.spectrum else ""
    words = f"{only_floor(e)}σ² = {e.variance:g} is too large: βσ² = {e.effective_beta * e.variance:.3g}{limit}"
    return Cause("variance", words, by_spectrum(e), {"likelihood": "gaussian_learned", **unit_weight(e)})


def large_beta(e: Evidence) -> Cause | None:
    """β lies above every eigenvalue of the data."""
    if not e.starved:
        return None
    top = e.spectrum[0]
    words = f"{only_floor(e)}β = {e.effective_beta:.3g} is too large: the linear limit of these data is {top:.3g}"
    return Cause("beta", words, by_spectrum(e), smaller_weight(e))


def unended_schedule(e: Evidence) -> Cause | None:
    """The run is shorter than its schedules."""
    if not e.cut_short:
        return None
    words = f"the run ended at step {e.steps}, before its schedule ends at step {e.schedule_end}"
    return Cause("schedule", words, ESTABLISHED, {"trainer.max_steps": 2 * e.schedule_end})


def unreached_rate(e: Evidence) -> Cause | None:
    """The method aims at a rate and has not reached it."""
    if not e.steps or e.rate is None or e.rate >= REACHED * e.rate_floor:
        return None
    words = f"the rate of {e.rate:.3g} nats has not reached the method's target of {e.rate_floor:.3g}"
    return Cause("short", words, LIKELY, {"trainer.max_steps": LONGER * e.steps})


def empty_rate(e: Evidence) -> Cause | None:
    """The method holds the rate up, and z carries nothing all the same."""
    if not e.held_at_floor:
        return None
    nats = "nat" if e.rate_floor == 1 else "nats"
    words = f"the method holds the rate at {e.rate_floor:.3g} {nats}, but z carries nothing"
    if e.price < -GENTLE:
        return Cause(
            "floor", f"{words}: γ = {-e.price:g} outweighs the distortion", ESTABLISHED, {"annealing.gamma": GENTLE}
        )
    return Cause("floor", words, ESTABLISHED, {"model": "beta_vae"} if e.holds_rate else {})


def untrained(e: Evidence) -> Cause | None:
    """Too few steps for any network, or z is encoded and the decoder has not learnt to read it."""
    if not e.steps:
        return None
    carries = e.rate is not None and e.rate > UNREAD and e.price == 1
    misread = e.shuffle_gap is not None and e.shuffle_gap < 0 and carries
    if e.steps >= FEWEST_STEPS and not misread:
        return None
    words = f"the run is too short: {e.steps} steps"
    if misread:
        words += f", after which z carries {e.rate:.3g} nats that the decoder does not use yet"
    return Cause("short", words, LIKELY, {"trainer.max_steps": max(LONGER * e.steps, ENOUGH_STEPS)})


def autoregressive_decoder(e: Evidence) -> Cause | None:
    """The decoder can do without z. Free bits keep a rate open for it, where nothing changes its price already."""
    if not e.autoregressive or e.still_rising:
        return None
    words = "the decoder predicts each pixel from the pixels before it, and needs no z"
    free = e.price == 1 and e.rate_floor == 0
    change = {"free_bits": "total", "free_bits.epsilon": 2.0} if free else {"decoder": "mlp"}
    return Cause("autoregressive", words, LIKELY, change)


def near_limit(e: Evidence) -> Cause | None:
    """β lies below the linear limit, but near it: the collapsed state is a saddle whose growth rate is nearly 0."""
    if not e.near_limit or e.unfinished:
        return None
    words = f"β = {e.effective_beta:.3g} is below the linear limit of {e.spectrum[0]:.3g}, but so near"
    annealed = any(weight < e.kl_weight for weight in e.weights.values())
    change = smaller_weight(e) if annealed else {"annealing": "linear", "annealing.steps": (e.steps or 1000) // 2}
    return Cause("near", f"{words} that training leaves the collapsed state slowly", LIKELY, change)


def unfinished_training(e: Evidence) -> Cause | None:
    """The run was still improving when it ended."""
    if not e.steps or not (e.still_rising or e.unfinished):
        return None
    words = f"the run is too short: it was still improving at step {e.steps}"
    return Cause("short", words, LIKELY, {"trainer.max_steps": LONGER * e.steps})


def growing_weight(e: Evidence) -> Cause | None:
    """The rate fell while annealing went on."""
    weight = e.weight_at(e.peak[0]) if e.peak else None
    if e.peak is None or weight is None or weight >= e.kl_weight:
        return None
    step, rate = e.peak
    words = f"the KL rose to {rate:.2f} nats at step {step}, and fell as kl_weight grew from {weight:g}"
    change = {"annealing": "linear", "annealing.steps": 2 * e.schedule_end or e.steps}
    return Cause("fell", f"{words} to {e.kl_weight:g}", LIKELY, change)


RULES: tuple[Rule, ...] = (
    no_collapse,
    constant_images,
    averaged_pixels,
    unread_latent,
    easy_target,
    large_variance,
    large_beta,
    unended_schedule,
    unreached_rate,
    empty_rate,
    untrained,
    autoregressive_decoder,
    near_limit,
    unfinished_training,
    growing_weight,
)


def smaller_weight(e: Evidence) -> dict[str, Any]:
    """A rate weight well below the linear limit, and not above 1."""
    beta = float(f"{min(1.0, e.spectrum[0] / 3):.1g}")
    return {e.rate_weight_key: beta} if e.rate_weight_key else {"model": "beta_vae", "model.beta": beta}


def by_spectrum(e: Evidence) -> str:
    """The certainty of a cause that rests on the spectrum, whose theory is that of the plain ELBO with a weight."""
    return ESTABLISHED if e.starved and e.plain_elbo and not e.assumed else LIKELY


def unit_weight(e: Evidence) -> dict[str, Any]:
    """A rate weight of 1 beside another change, where it lies above: one change alone would leave the other cause."""
    return {e.rate_weight_key: 1.0} if e.rate_weight > 1 and e.rate_weight_key else {}


def only_floor(e: Evidence) -> str:
    """What to say first where z is in use only because a method holds the rate up."""
    return "" if e.low else "only the floor holds the rate up: "
