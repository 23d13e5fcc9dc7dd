"""An encoder gives two (B, D) tensors, location and raw scale; a decoder maps (B, D) to images."""

from vae_lab.networks.conv import ConvDecoder, ConvEncoder
from vae_lab.networks.mlp import MLPDecoder, MLPEncoder

__all__ = ["ConvDecoder", "ConvEncoder", "MLPDecoder", "MLPEncoder"]
