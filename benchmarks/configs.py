"""What several benchmarks train: the overrides of MNIST and of its networks."""

MLP = ("encoder.hidden=[400]", "decoder.hidden=[400]", "model.latent_dim=20", "data.batch_size=128")
CONV = ("encoder=conv", "decoder=conv", "data.batch_size=128")


def mnist(root: str) -> tuple[str, str]:
    """The data, in torchvision's layout below ``root``."""
    return ("data=mnist", f"data.root={root}")
