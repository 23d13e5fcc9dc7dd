"""A model and its data in, the files of its figures out."""

from vae_lab.gallery.drawing import NAMES, draw
from vae_lab.gallery.filming import record
from vae_lab.gallery.settings import Settings
from vae_lab.gallery.subject import Measured, Subject

__all__ = ["NAMES", "Measured", "Settings", "Subject", "draw", "record"]
