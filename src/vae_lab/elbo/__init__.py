"""The maths of the ELBO: pure torch, nothing of Lightning."""
