"""Any VAE examined from outside: a person's own functions become a model that metrics, theory and figures know."""
