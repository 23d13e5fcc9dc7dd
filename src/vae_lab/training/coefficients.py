"""The coefficients that follow a schedule: their curves before training, and whether they end in time."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from vae_lab.callbacks import Scheduled
from vae_lab.config.build import naming
from vae_lab.data import ImageData
from vae_lab.elbo.schedules import Decay
from vae_lab.training.assembly import build_remedies
from vae_lab.training.trainer import lengths

LAST_PART = 0.1  # of a run: what still moves then leaves too little to settle and to choose a checkpoint from

Curve = Callable[[int], float]


def curves(config: Mapping[str, Any]) -> dict[str, Curve]:
    """The scheduled coefficients by the name under which a run logs them, and the learning rate.

    Raises:
        ConfigError: for whatever does not fit.

    Example:
        >>> from vae_lab.config.compose import compose_config
        >>> found = curves(compose_config(["annealing=linear", "annealing.steps=100"]))
        >>> found["coef/kl_weight"](25)
        0.25
    """
    remedies = build_remedies(config).values()
    found: dict[str, Curve] = {f"coef/{r.name}": r.value for r in remedies if isinstance(r, Scheduled)}
    optimizer = dict(config["optimizer"])
    with naming("optimizer"):
        decay = Decay.taken_from(optimizer)
    if not decay.constant:
        factor = decay(config["trainer"]["max_steps"])
        found["learning rate"] = lambda step: optimizer["lr"] * factor(step)
    return found


def late_schedules(config: Mapping[str, Any], data: ImageData) -> list[str]:
    """A line for each schedule that ends after the run, or within its last tenth, and what to do about it."""
    steps = (config["trainer"] | lengths(config, data))["max_steps"]
    remedies = build_remedies(config).items()
    ends = {group: int(r.end) for group, r in remedies if isinstance(r, Scheduled) and math.isfinite(r.end)}
    return [warning(group, end, steps) for group, end in ends.items() if end > (1 - LAST_PART) * steps]


def warning(group: str, end: int, steps: int) -> str:
    """What a person reads of one such schedule."""
    fitting = math.floor((1 - LAST_PART) * steps)
    where = "after the run, which has" if end > steps else "in the last tenth of the run, which has"
    return (
        f"{group}: its schedule ends at step {end}, {where} {steps} steps; "
        f"let it end by step {fitting} ({group}.steps), or train for {math.ceil(end / (1 - LAST_PART))} steps or more"
    )
