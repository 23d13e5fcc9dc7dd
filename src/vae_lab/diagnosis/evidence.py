"""What is known of a run: the figures on which a diagnosis rests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from vae_lab.diagnosis.continuation import Continuation

ROSE = 0.3  # nats above the last rate that count as a peak
LOW_RATE = 0.1  # nats: below, a rate counts as zero where no verdict is known
NEAR = 1.5  # times β: up to there, the collapsed state is left slowly (``linear_theory.escape``)
CLEARLY = 1.5  # the factor by which a rising rate must have grown over its last validations


@dataclass(frozen=True)
class Evidence:
    """The figures of a run; None where one is not known. Nats per image, steps of the optimizer.

    Attributes:
        effective_beta: the weight of a nat of rate against a nat of distortion.
        price: what the penalty makes of a nat of rate: 1 for the plain one.
        assumed: whether the likelihood or its variance is only a guess.
        spectrum: the first D eigenvalues of the data, in units of the likelihood's pixel variance, or of what it is at
            the collapsed state where it is learnt.
        plain_elbo: whether the prior is N(0, I) and the loss has no term beside distortion and rate.
        rate_weight_key: the config key of the rate's weight, None where there is none.
        holds_rate: whether the model itself holds the rate at ``rate_floor``.
        batchwise_terms: what of the loss depends on the whole batch, in words.
        rates: (step, rate) of each validation.
        weights: the logged KL weights by step.
        diverged_step: the step from which the loss was no longer finite; None for a run that ended well.
        learning_rate: of the optimizer, before any decay.
        train_rates, train_distortions: (step, figure) of the training batches at the logged steps, finite ones only.
        continuation: what training it again by continuation has shown.

    Example:
        >>> evidence = Evidence(effective_beta=4.0, spectrum=[3.3, 1.2], verdict="full")
        >>> evidence.starved, evidence.directions
        (True, 0)
    """

    effective_beta: float
    rate_weight: float = 1.0
    kl_weight: float = 1.0
    price: float = 1.0
    autoregressive: bool = False
    distortion_reduction: str = "sum"
    pixels: int | None = None
    variance: float | None = None
    learned_variance: bool = False
    assumed: bool = False
    plain_elbo: bool = True
    rate_weight_key: str | None = "model.beta"
    holds_rate: bool = False
    batchwise_terms: str = ""
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
    steps: int | None = None
    unfinished: bool | None = False
    schedule_end: int = 0
    rates: Sequence[tuple[int, float]] = ()
    weights: Mapping[int, float] = field(default_factory=dict)
    diverged_step: int | None = None
    learning_rate: float | None = None
    train_rates: Sequence[tuple[int, float]] = ()
    train_distortions: Sequence[tuple[int, float]] = ()
    continuation: Continuation | None = None

    @property
    def low(self) -> bool:
        """Whether z is ignored; where only the rate is known, whether that is zero."""
        return self.rate is not None and self.rate < LOW_RATE if self.verdict is None else self.verdict == "full"

    @property
    def starved(self) -> bool:
        """Whether the effective β lies above the whole spectrum: then the collapsed state is a local optimum."""
        unpriced = self.price == 1 and self.effective_beta > 0
        return unpriced and bool(self.spectrum) and self.effective_beta >= self.spectrum[0]

    @property
    def near_limit(self) -> bool:
        """Whether the effective β lies below the first eigenvalue, and near it."""
        below = bool(self.spectrum) and self.price == 1 and self.effective_beta < self.spectrum[0]
        return below and self.spectrum[0] < NEAR * self.effective_beta

    @property
    def directions(self) -> int:
        """How many of the first D eigenvalues lie above the effective β."""
        return sum(value > self.effective_beta for value in self.spectrum)

    @property
    def cut_short(self) -> bool:
        """Whether the run ended before its schedules did."""
        return bool(self.steps) and self.schedule_end > (self.steps or 0)

    @property
    def peak(self) -> tuple[int, float] | None:
        """(step, rate) of the highest rate during training, where it lies clearly above the last one."""
        if not self.rates:
            return None
        step, rate = max(self.rates, key=lambda point: point[1])
        return (step, rate) if rate > self.rates[-1][1] + ROSE else None

    @property
    def still_rising(self) -> bool:
        """Whether the rate rose at each of the last three validations, and clearly."""
        last = [rate for _, rate in self.rates[-3:]]
        return len(last) == 3 and all(a < b for a, b in pairwise(last)) and last[-1] > CLEARLY * last[0]

    def weight_at(self, step: int) -> float | None:
        """The KL weight that was logged nearest to a step."""
        if not self.weights:
            return None
        return self.weights[min(self.weights, key=lambda logged: abs(logged - step))]
