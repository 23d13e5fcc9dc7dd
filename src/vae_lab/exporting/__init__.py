"""A trained model for other programs: weights, encoder and decoder as graphs, a folder to publish."""

from vae_lab.exporting.formats import FORMATS, export

__all__ = ["FORMATS", "export"]
