"""Figures: arrays in, figure out. Needs the extra ``figures``."""
