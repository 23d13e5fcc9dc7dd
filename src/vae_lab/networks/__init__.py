"""An encoder gives two (B, D) tensors, location and raw scale; a decoder maps (B, D) to images.

A decoder with a true ``autoregressive`` maps z and the images, and gives each pixel's parameters from those before it.
"""

from vae_lab.networks.anticausal import AntiCausalEncoder
from vae_lab.networks.conv import ConvDecoder, ConvEncoder
from vae_lab.networks.linear import LinearDecoder, LinearEncoder
from vae_lab.networks.mlp import MLPDecoder, MLPEncoder
from vae_lab.networks.pixelcnn import PixelCNN

__all__ = [
    "AntiCausalEncoder",
    "ConvDecoder",
    "ConvEncoder",
    "LinearDecoder",
    "LinearEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "PixelCNN",
]
