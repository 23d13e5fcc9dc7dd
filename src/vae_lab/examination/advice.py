"""What to change in a person's own code: one or two lines of PyTorch as a diff, by the kind of the cause.

The names are those of most code: ``x``, ``x_hat``, ``mean``, ``stddev``, ``distortion``, ``kl``, ``loss``.
"""

from collections.abc import Callable

from vae_lab.diagnosis.causes import Cause
from vae_lab.diagnosis.elsewhere import ADVICE
from vae_lab.examination.told import Told
from vae_lab.runs.result import Objective, Result

COSTS = {  # by the likelihood, for a decoder that ends in pixels
    "Bernoulli": "F.binary_cross_entropy(x_hat, x{})",
    "Gaussian": "F.mse_loss(x_hat, x{})",
    "Laplace": "F.l1_loss(x_hat, x{})",
}
ON_LOGITS = "F.binary_cross_entropy_with_logits(x_hat, x{})"
OTHER = "cost(x_hat, x{})"
SUMMED = ', reduction="sum"'
OWN_WORDS = {  # beside those for any training elsewhere
    "floor": "a floor pays for a KL, not for its use: anneal the KL weight from 0 instead, or weaken the decoder",
}
WARM_UP = 5000  # steps, where nothing is known of the training
FREE_NATS = 2.0

Diff = tuple[list[str], list[str]]  # what to take out, and what to put in


def advice(cause: Cause, result: Result, told: Told) -> list[str]:
    r"""The lines of the diff, or one line of words; none where nothing is to be changed.

    Example:
        >>> objective = Objective(model="own", likelihood="Bernoulli", pixels=784, effective_beta=784.0)
        >>> result = Result(status="finished", seed=0, objective=objective)
        >>> print(*advice(Cause("averaged", "..."), result, Told(encode=print, decode=print)), sep="\n")
        - distortion = F.binary_cross_entropy(x_hat, x)
        + distortion = F.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)
    """
    if cause.kind == "none" or result.objective is None:
        return []
    if cause.kind in DIFFS:
        out, into = DIFFS[cause.kind](cause, result.objective, told)
        return [*(f"- {line}" for line in out), *(f"+ {line}" for line in into)]
    words = ADVICE | OWN_WORDS
    return [words[cause.kind]] if cause.kind in words else []


def cost(objective: Objective, told: Told, options: str = "") -> str:
    """The reconstruction loss as code."""
    logits = objective.likelihood == "Bernoulli" and told.output == "logits"
    return (ON_LOGITS if logits else COSTS.get(objective.likelihood, OTHER)).format(options)


def weighted(weight: float) -> str:
    """The line of the loss with this weight of the KL."""
    return "loss = distortion + kl" if weight == 1 else f"loss = distortion + {weight:g} * kl"


def averaged(cause: Cause, objective: Objective, told: Told) -> Diff:
    """Sum over the example; and a β above 1 goes, which was there to no purpose."""
    out = [f"distortion = {cost(objective, told)}"]
    into = [f"distortion = {cost(objective, told, SUMMED)} / len(x)"]
    if objective.rate_weight > 1:
        return [*out, weighted(told.beta)], [*into, weighted(1)]
    return out, into


def variance(cause: Cause, objective: Objective, told: Told) -> Diff:
    """Let σ² be the mean squared error itself (Rybkin et al. 2021)."""
    sigma2 = objective.variance or 1.0
    out = [f"distortion = F.mse_loss(x_hat, x{SUMMED}) / ({2 * sigma2:g} * len(x))"]
    into = ["distortion = 0.5 * x[0].numel() * F.mse_loss(x_hat, x).log()"]
    if objective.rate_weight > 1:
        return [*out, weighted(told.beta)], [*into, weighted(1)]
    return out, into


def smaller_beta(cause: Cause, objective: Objective, told: Told) -> Diff:
    """The β that the diagnosis proposes."""
    beta = float(cause.change.get("model.beta", 1.0))
    if told.weight_code:
        return [told.weight_code.format(weight=f"{told.beta:g}")], [told.weight_code.format(weight=f"{beta:g}")]
    return [weighted(told.beta)], [weighted(beta)]


def warm_up(cause: Cause, objective: Objective, told: Told) -> Diff:
    """The KL weight from 0 up."""
    strength = "" if told.beta == 1 else f"{told.beta:g} * "
    return [weighted(told.beta)], [f"loss = distortion + {strength}min(1.0, step / {WARM_UP}) * kl"]


def unexplained(cause: Cause, objective: Objective, told: Told) -> Diff:
    """A β above 1 goes first; with β = 1 the KL weight grows from 0."""
    return (smaller_beta if told.beta > 1 else warm_up)(cause, objective, told)


def free_nats(cause: Cause, objective: Objective, told: Told) -> Diff:
    """A rate that costs nothing: the decoder can do without z, and has to be given a reason."""
    line = weighted(told.beta)
    return [line], [f"{line}.clamp(min={FREE_NATS})  # kl: the mean over the batch"]


def unread(cause: Cause, objective: Objective, told: Told) -> Diff:
    """The decoder must be given z."""
    z = "mean + stddev * torch.randn_like(stddev)"
    return ["x_hat = decoder(h)"], [f"x_hat = decoder({z})  # z must reach the output"]


DIFFS: dict[str, Callable[[Cause, Objective, Told], Diff]] = {
    "averaged": averaged,
    "variance": variance,
    "beta": smaller_beta,
    "near": warm_up,
    "unknown": unexplained,
    "autoregressive": free_nats,
    "decoder": unread,
}
