"""Metrics: torchmetrics classes over pure functions. They see tensors, never a trainer."""

from vae_lab.metrics.active_units import ActiveUnits, active_units
from vae_lab.metrics.epsilon_delta_collapse import EpsilonDeltaCollapse, below
from vae_lab.metrics.importance_weighted_nll import ImportanceWeightedNLL, importance_weighted_nll
from vae_lab.metrics.mutual_information import MutualInformation, mutual_information
from vae_lab.metrics.rate_distortion import RateDistortion
from vae_lab.metrics.shuffle_gap import ShuffleGap

__all__ = [
    "ActiveUnits",
    "EpsilonDeltaCollapse",
    "ImportanceWeightedNLL",
    "MutualInformation",
    "RateDistortion",
    "ShuffleGap",
    "active_units",
    "below",
    "importance_weighted_nll",
    "mutual_information",
]
