"""An encoder gives two (B, D) tensors, location and raw scale; a decoder maps (B, D) to images.

A decoder with a true ``autoregressive`` maps z and the images, and gives each pixel's parameters from those before it.
A decoder with a ``noise_size`` N maps z and standard normal noise (B, N).
"""

from vae_lab.networks.anticausal import AntiCausalEncoder
from vae_lab.networks.conv import ConvDecoder, ConvEncoder
from vae_lab.networks.linear import LinearDecoder, LinearEncoder
from vae_lab.networks.mlp import MLPDecoder, MLPEncoder
from vae_lab.networks.pixelcnn import PixelCNN
from vae_lab.networks.resnet import ResNetDecoder, ResNetEncoder
from vae_lab.networks.style import StyleDecoder

__all__ = [
    "AntiCausalEncoder",
    "ConvDecoder",
    "ConvEncoder",
    "LinearDecoder",
    "LinearEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "PixelCNN",
    "ResNetDecoder",
    "ResNetEncoder",
    "StyleDecoder",
]
