"""``result.json``: what a run was, how it ended, and what it measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vae_lab.runs.names import RESULT
from vae_lab.runs.process import Process
from vae_lab.runs.records import Record, RecordError, read_record, write_record

Status = Literal["running", "finished", "failed", "diverged"]
Kind = Literal["none", "partial", "full"]  # of collapse
Score = Literal["mass", "density", "cross-entropy"]  # the last for grey values under a Bernoulli likelihood
Figure = int | float | list[float | None] | None  # None: not a finite number

SPLIT = "test"  # the split of the figures in a result
NEEDED = ("elbo", "rate", "distortion", "shuffle_gap", "mutual_information")  # what a finished run has measured
PER_DIMENSION = ("rate_dim", "shuffle_gap_dim", "shuffle_gap_dim_se")  # lists of D figures, where they are there


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a run minimised at its end, and the spectrum of its data. Nats per image; steps of the optimizer.

    ``effective_beta`` is the weight of one nat of rate against one nat of distortion. ``spectrum`` holds the
    eigenvalues to compare it with, as many as there are latents; none where their theory does not apply.
    """

    model: str
    likelihood: str
    pixels: int
    effective_beta: float
    rate_weight: float = 1.0
    kl_weight: float = 1.0
    price: float = 1.0
    distortion_reduction: str = "sum"
    variance: float | None = None  # σ² of a Gaussian likelihood, None for others
    learned_variance: bool = False
    distortion_target: float | None = None
    autoregressive: bool = False
    linear: bool = False
    spectrum: list[float] = field(default_factory=list)
    collapsed_variance: float | None = None  # σ² of the collapsed state, in whose units the spectrum is
    learning_rate: float | None = None  # before any decay; None for an optimizer without one
    schedule_end: int = 0
    plain_elbo: bool = True  # prior N(0, I), and no term beside distortion and rate
    rate_weight_key: str | None = None  # the config key of the rate's weight
    holds_rate: bool = False  # whether the model itself holds the rate at a floor
    batchwise_terms: str = ""  # what of the loss depends on the whole batch
    scores: Score | None = None  # what the distortion is the negative logarithm of; None in older records
    assumed: bool = False  # whether the likelihood's σ² is only a guess, of a model from outside


@dataclass(frozen=True, kw_only=True)
class Theory:
    """The optimum of a linear Gaussian VAE on the run's data; ``rate_dim`` falls with the eigenvalues."""

    rate_dim: list[float]
    distortion: float
    collapsed: int
    squared_error: float
    variance: float
    eigenvalues: list[float]
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What there is to say of a model that was trained elsewhere, and examined here."""

    model: str
    notes: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)  # what to change in one's own code, a line each


@dataclass(frozen=True, kw_only=True)
class Result(Record):
    """The record of one run. Figures are those of ``checkpoint`` on the test split, in nats per image.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> result = Result(status="finished", seed=0, overrides={"model.beta": 4.0}, metrics={"test/rate": 0.02})
        >>> with TemporaryDirectory() as directory:
        ...     result.write(Path(directory))
        ...     Result.read(Path(directory)) == result
        True
        >>> result.figure("rate")
        0.02
    """

    format: int = 2
    status: Status
    reason: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int
    metrics: Mapping[str, Figure] = field(default_factory=dict)
    verdict: Kind | None = None
    unused: int = 0
    latent_dim: int = 0
    rate_floor: float = 0.0
    linear_rate: float | None = None  # the rate of a linear VAE on these data; Gaussian likelihoods only
    objective: Objective | None = None
    theory: Theory | None = None
    unfinished: bool | None = False  # whether it was still improving at its end; None: cannot be told
    checkpoint: str | None = None
    checkpoint_step: int | None = None
    diverged_step: int | None = None
    steps: int = 0
    batch_size: int = 0
    importance_samples: int = 0
    seconds: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    ended: str | None = None
    process: Process | None = None  # that writes it
    examination: Examination | None = None  # of a model from outside; None for a run

    @classmethod
    def read(cls, directory: Path) -> "Result":
        """The result of a run directory.

        Raises:
            RecordError: when it is missing, broken, or of another format.
        """
        return read_record(directory / RESULT, cls)

    @property
    def stopped(self) -> bool:
        """Whether the process of a run that counts as running has gone: killed, or cut off with its machine."""
        return self.status == "running" and self.process is not None and self.process.gone

    def check(self) -> None:
        """Refuse the record of a finished run that lacks what its table and diagnosis rest on.

        Raises:
            RecordError: naming what is missing.
        """
        if self.status != "finished":
            return
        if self.verdict is None:
            raise RecordError(f"{RESULT} lacks verdict")
        for name in NEEDED:
            if f"{SPLIT}/{name}" not in self.metrics:
                raise RecordError(f"{RESULT} lacks {SPLIT}/{name}")
        for name in PER_DIMENSION:
            if len(self.figures_by_dimension(name)) not in (0, self.latent_dim):
                raise RecordError(f"{RESULT} has {SPLIT}/{name} of another length than latent_dim={self.latent_dim}")
        if self.figures_by_dimension(PER_DIMENSION[1]) and not self.figures_by_dimension(PER_DIMENSION[2]):
            raise RecordError(f"{RESULT} lacks {SPLIT}/{PER_DIMENSION[2]}")

    def write(self, directory: Path) -> None:
        """Put it into the run directory, in the place of the one before."""
        write_record(directory / RESULT, self)

    def figure(self, name: str) -> float | None:
        """A scalar figure, such as ``rate``; None where there is none or it is not finite."""
        value = self.metrics.get(f"{SPLIT}/{name}")
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

    def figures_by_dimension(self, name: str) -> list[float]:
        """A figure of each latent dimension, such as ``rate_dim``; empty where there is none."""
        value = self.metrics.get(f"{SPLIT}/{name}")
        return [math.nan if entry is None else entry for entry in value] if isinstance(value, list) else []
