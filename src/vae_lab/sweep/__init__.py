"""Sweeps: which jobs there are, whether they fit, and where each stands."""
