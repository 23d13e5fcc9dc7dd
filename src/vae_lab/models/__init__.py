"""The variants: one file each; ``vae`` holds the whole ELBO, the others say what differs."""

from vae_lab.models.beta_tcvae import BetaTCVAE
from vae_lab.models.beta_vae import BetaVAE
from vae_lab.models.bn_vae import BNVAE
from vae_lab.models.delta_vae import DeltaVAE
from vae_lab.models.dip_vae import DIPVAE
from vae_lab.models.factor_vae import FactorVAE
from vae_lab.models.info_vae import InfoVAE
from vae_lab.models.rate_cost import RateCost
from vae_lab.models.vae import VAE, Output, Terms

__all__ = [
    "BNVAE",
    "DIPVAE",
    "VAE",
    "BetaTCVAE",
    "BetaVAE",
    "DeltaVAE",
    "FactorVAE",
    "InfoVAE",
    "Output",
    "RateCost",
    "Terms",
]
