"""Metrics: torchmetrics classes over pure functions. They see tensors, never a trainer.

What a run measures is said by ``conf/metrics``. A metric is any ``torchmetrics.Metric``: its constructor takes what it
names of ``training.measures.offers``, its ``update`` what it names of ``callbacks.evaluation.KNOWN``.
"""

from vae_lab.metrics.active_units import ActiveUnits, active_units
from vae_lab.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from vae_lab.metrics.bits_per_dim import BitsPerDim
from vae_lab.metrics.dci import DCI, dci
from vae_lab.metrics.epsilon_delta_collapse import EpsilonDeltaCollapse, below
from vae_lab.metrics.factor_vae_score import FactorVAEScore, factor_vae_score
from vae_lab.metrics.frechet_distance import FDLite0, frechet_distance
from vae_lab.metrics.importance_weighted_nll import ImportanceWeightedNLL, importance_weighted_nll
from vae_lab.metrics.mig import MIG, best_factors, mig
from vae_lab.metrics.mutual_information import MutualInformation, mutual_information
from vae_lab.metrics.mutual_information_upper import MutualInformationUpper, mutual_information_upper
from vae_lab.metrics.per_image import PerImage
from vae_lab.metrics.perceptual import PerceptualDistance
from vae_lab.metrics.psnr import PSNR
from vae_lab.metrics.rate_distortion import RateDistortion
from vae_lab.metrics.sap import SAP, sap
from vae_lab.metrics.sharpness import Sharpness, laplacian_variance
from vae_lab.metrics.shuffle_gap import ShuffleGap, information_bound
from vae_lab.metrics.ssim import SSIM, ssim

__all__ = [
    "DCI",
    "MIG",
    "PSNR",
    "SAP",
    "SSIM",
    "ActiveUnits",
    "BetaVAEScore",
    "BitsPerDim",
    "EpsilonDeltaCollapse",
    "FDLite0",
    "FactorVAEScore",
    "ImportanceWeightedNLL",
    "MutualInformation",
    "MutualInformationUpper",
    "PerImage",
    "PerceptualDistance",
    "RateDistortion",
    "Sharpness",
    "ShuffleGap",
    "active_units",
    "below",
    "best_factors",
    "beta_vae_score",
    "dci",
    "factor_vae_score",
    "frechet_distance",
    "importance_weighted_nll",
    "information_bound",
    "laplacian_variance",
    "mig",
    "mutual_information",
    "mutual_information_upper",
    "sap",
    "ssim",
]
