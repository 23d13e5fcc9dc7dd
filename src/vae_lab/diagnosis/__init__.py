"""From the figures of a run to its verdict and the cause of its collapse."""
