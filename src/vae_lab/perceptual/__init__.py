"""Perceptual distances: frozen networks that map images to features, and what is measured with them."""

from vae_lab.perceptual.features import Features
from vae_lab.perceptual.loss import PerceptualLoss, distance
from vae_lab.perceptual.networks import NETWORKS, Wanted, features_for, lite0_features

__all__ = ["NETWORKS", "Features", "PerceptualLoss", "Wanted", "distance", "features_for", "lite0_features"]
