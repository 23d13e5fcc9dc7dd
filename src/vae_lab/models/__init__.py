"""The variants: one file each; ``vae`` holds the whole ELBO, the others say what differs."""

from vae_lab.models.beta_vae import BetaVAE
from vae_lab.models.bn_vae import BNVAE
from vae_lab.models.delta_vae import DeltaVAE
from vae_lab.models.info_vae import InfoVAE
from vae_lab.models.rate_cost import RateCost
from vae_lab.models.vae import VAE, Output, Terms

__all__ = ["BNVAE", "VAE", "BetaVAE", "DeltaVAE", "InfoVAE", "Output", "RateCost", "Terms"]
