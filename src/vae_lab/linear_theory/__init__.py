"""The linear theory of collapse: the spectrum of the data, and the optimum of the linear VAE."""
