"""Many runs at once: models of one form are trained as one, up to their last step; each then ends as a plain run."""
