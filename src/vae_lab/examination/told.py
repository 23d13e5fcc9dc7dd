"""What a person says of their model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.distributions import Distribution

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.priors import Prior
from vae_lab.examination.examples import Key
from vae_lab.examination.posterior import SCALES

OUTPUTS = ("pixels", "logits", "parameters")
UNITS = ("channel", "element")
REDUCTIONS = ("sum", "mean")


@dataclass(frozen=True, kw_only=True)
class Told:
    """The arguments of ``examine`` that describe a model; what each means is said there.

    Args:
        name: what to call the model.
        weight_code: the line of code that sets the KL's weight, with ``{weight}`` for it.
        plain_elbo: whether the loss is distortion + β · rate, with nothing added.
        notes: what an adapter has to say.

    Raises:
        ArgumentError: for one that cannot be.
    """

    encode: Callable[..., Any] | None = None
    decode: Callable[..., Any] | None = None
    distortion: Callable[[Any, Any], torch.Tensor] | None = None
    likelihood: str | Likelihood | None = None
    variance: float | None = None
    scale: str = "log_variance"
    output: str = "pixels"
    units: str | None = None
    beta: float = 1.0
    reduction: str = "sum"
    kl_reduction: str = "sum"
    prior: Prior | Distribution | None = None
    floor: float = 0.0
    autoregressive: bool = False
    key: Key = None
    plain_elbo: bool = True
    name: str = ""
    weight_code: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not callable(self.encode):
            raise ArgumentError("encode", self.encode, "must be given: the function that gives mean and log-variance")
        if not callable(self.decode) and not callable(self.distortion):
            raise ArgumentError("decode", self.decode, "must be given, or distortion=f(z, x)")
        choice("scale", self.scale, SCALES)
        choice("output", self.output, OUTPUTS)
        choice("reduction", self.reduction, REDUCTIONS)
        choice("kl_reduction", self.kl_reduction, REDUCTIONS)
        number("beta", self.beta, low=0)
        number("floor", self.floor, low=0)
        if self.units is not None:
            choice("units", self.units, UNITS)

    @property
    def assumed(self) -> bool:
        """Whether the σ² of a Gaussian likelihood was left out: then 1 is only a guess."""
        return self.likelihood == "gaussian" and self.variance is None
