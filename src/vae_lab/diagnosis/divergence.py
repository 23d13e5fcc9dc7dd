"""Why a run diverged: an ordered tuple of rules, as ``causes`` has them, on the last finite figures of its training."""

import math

from vae_lab.diagnosis.causes import ESTABLISHED, LIKELY, Cause, Rule
from vae_lab.diagnosis.evidence import Evidence

SMALLER = 10  # how many times smaller a learning rate to try
VANISHED = 1e-4  # a σ², in squared pixel units, that a person would call 0
EXPLODED = 1e4  # nats of rate that no code needs, but a log σ of the encoder that runs away does
ROSE = 10.0  # the factor by which a distortion must have grown to speak of a learning rate
HIGH_RATE = 0.01  # a learning rate that is high for Adam


def name_divergence(evidence: Evidence) -> Cause:
    """The first cause that fits a run that diverged.

    Example:
        >>> known = {"effective_beta": 1.0, "diverged_step": 40, "learning_rate": 0.5}
        >>> name_divergence(Evidence(**known)).words
        'the loss was no longer finite at step 40: the learning rate of 0.5 is too high'
    """
    found = (rule(evidence) for rule in RULES)
    cause = next(
        (cause for cause in found if cause is not None), Cause("unknown", "not found", change=slower(evidence))
    )
    return cause._replace(words=f"the loss was no longer finite at step {evidence.diverged_step}: {cause.words}")


def overflowing_start(e: Evidence) -> Cause | None:
    """The first pass, before any step of the optimizer: the encoder's log σ of such images is too large for exp."""
    if e.diverged_step != 1:
        return None
    words = (
        "the first pass overflows already, in the exponent of the encoder's log σ: the pixels are too large, scale them"
    )
    return Cause("overflow", words, ESTABLISHED)


def vanishing_variance(e: Evidence) -> Cause | None:
    """A learnt σ² went to 0: the latents can reconstruct the training images whole."""
    variance = last_variance(e)
    if not e.learned_variance or variance is None or variance > VANISHED:
        return None
    step = e.train_distortions[-1][0]
    words = f"σ² goes to 0 (about {variance:.2g} at step {step}), since the images can be reconstructed whole"
    return Cause("vanishing", words, LIKELY, {"likelihood": "gaussian"})


def last_variance(e: Evidence) -> float | None:
    """The σ² that the last finite training distortion speaks of, were it the best for its squared error.

    distortion = ½ P (log 2πσ² + 1)
    """
    if not e.train_distortions or not e.pixels:
        return None
    return math.exp(min(2 * e.train_distortions[-1][1] / e.pixels - 1, 700)) / (2 * math.pi)


def overflowing_exponent(e: Evidence) -> Cause | None:
    """The encoder's log σ ran away: exp of it, or μ², left the range of a float."""
    if not e.train_rates or e.train_rates[-1][1] < EXPLODED:
        return None
    step, rate = e.train_rates[-1]
    words = f"the KL was {rate:.2g} nats at step {step}: the exponent of the encoder's log σ overflows"
    return Cause("overflow", words, LIKELY, slower(e) | {"trainer.gradient_clip_val": 1.0})


def high_learning_rate(e: Evidence) -> Cause | None:
    """The learning rate is high, or the distortion rose before the end."""
    distortions = [distortion for _, distortion in e.train_distortions]
    rose = len(distortions) > 1 and distortions[-1] > ROSE * max(min(distortions), 1.0)
    if e.learning_rate is None or not (rose or e.learning_rate >= HIGH_RATE):
        return None
    return Cause("learning_rate", f"the learning rate of {e.learning_rate:g} is too high", LIKELY, slower(e))


def slower(e: Evidence) -> dict[str, float]:
    """A smaller learning rate."""
    return {"optimizer.lr": float(f"{(e.learning_rate or 1e-3) / SMALLER:.2g}")}


RULES: tuple[Rule, ...] = (overflowing_start, vanishing_variance, overflowing_exponent, high_learning_rate)
