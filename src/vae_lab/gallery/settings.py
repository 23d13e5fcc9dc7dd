"""What a person may say of the figures, checked."""

from dataclasses import dataclass

from vae_lab.checks import ArgumentError, choice, integer, number

MOST = 64  # rows or columns of a grid
STEPS = 400  # points of a way
CLASS = "class:"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to draw. What is None has a default that depends on the model: one whose decoder reads pixels is slow.

    Args:
        split: of the images.
        dims: the two latent dimensions of manifold and scatter; the most used by default.
        grid: pictures along a side of the manifold.
        mass: the part of the prior's probability that grids and traversals span.
        at: the image whose latents the dimensions keep that a figure does not vary; by default the prior's mean.
        start: the image from which interpolations go: an index of the split, ``class:3``, or ``random``.
        stop: the one to which they go.
        through: the images of the closed path; random ones by default.
        steps: pictures of an interpolation.
        images: pictures of reconstructions, and of samples.
        seed: of what is random.

    Raises:
        ValueError: for whatever cannot be.

    Example:
        >>> Settings(dims=(3, 7), grid=20).mass
        0.95
        >>> Settings(mass=2)
        Traceback (most recent call last):
        ...
        vae_lab.checks.ArgumentError: mass=2: must be a finite number > 0 and <= 0.999999
    """

    split: str = "test"
    dims: tuple[int, ...] | None = None
    grid: int | None = None
    mass: float = 0.95
    at: int | None = None
    start: str = "random"
    stop: str = "random"
    through: tuple[str, ...] | None = None
    steps: int | None = None
    images: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        choice("split", self.split, ("train", "val", "test"))
        number("mass", self.mass, above=0, high=1 - 1e-6)
        integer("seed", self.seed, low=0)
        for name, low, high in (("grid", 2, MOST), ("steps", 2, STEPS), ("images", 1, MOST**2)):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), low=low, high=high)
        for dim in self.dims or ():
            integer("dims", dim, low=0)
        if self.at is not None:
            integer("at", self.at, low=0)
        if self.through is not None and len(self.through) < 2:
            raise ArgumentError("through", ",".join(self.through), "must name two images or more")

    def check(self, latent_dim: int, size: int) -> None:
        """Refuse what does not fit a model of D = ``latent_dim``, or a split of ``size`` images.

        Raises:
            ArgumentError: naming it.
        """
        wanted = min(2, latent_dim)
        if self.dims is not None and (len(set(self.dims)) != wanted or max(self.dims) >= latent_dim):
            words = ",".join(map(str, self.dims))
            raise ArgumentError("dims", f"[{words}]", f"must be {wanted} of the dimensions 0 to {latent_dim - 1}")
        if self.at is not None:
            integer("at", self.at, low=0, high=size - 1)
