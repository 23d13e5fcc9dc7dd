"""What a person knows of a training that vae_lab did not run, as evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.diagnosis.evidence import Evidence

OPTIONS = ("model.beta", "reduction", "pixels", "kl", "likelihood", "variance", "model.latent_dim")

FIRST_EIGENVALUES = 2  # how many are looked at where the number of latents is not known

ADVICE = {
    "constant": "look at the images",
    "averaged": "sum the reconstruction loss over all pixels and channels, and average it over the batch only",
    "variance": "learn σ², or divide the squared error by 2σ² with a σ² well below the data's largest variance",
    "near": "anneal the KL weight from 0, or a smaller β",
    "beta": "a smaller β; python -m vae_lab.theory data=... shows which β your data allow",
    "unknown": "data=... compares β with the spectrum of your data; python -m vae_lab data=... measures more",
}


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The options of ``vae_lab.diagnose`` that describe such a training; ``kl`` in nats per image.

    Example:
        >>> told = Elsewhere.of({"reduction": "mean", "pixels": "784", "kl": "0.0"})
        >>> told.evidence().effective_beta
        784.0
    """

    beta: float
    kl: float
    reduction: str
    pixels: int | None
    variance: float | None  # None for a likelihood that has none
    latent_dim: int
    assumed: bool  # whether the likelihood or its variance was left out

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Elsewhere":
        """Read the options.

        Raises:
            ValueError: for one that cannot be, or that is missing.
        """
        figures = {name: figure(name, given[name]) for name in given if name not in ("reduction", "likelihood")}
        reduction = choice("reduction", given.get("reduction", "sum"), ("sum", "mean"))
        likelihood = choice("likelihood", given.get("likelihood", "bernoulli"), ("bernoulli", "gaussian"))
        if "variance" in figures and likelihood != "gaussian":
            raise ArgumentError("variance", given["variance"], "needs likelihood=gaussian")
        if "kl" not in figures:
            raise ValueError("kl: must be given, the KL that you see, in nats per image")
        return cls(
            beta=figures.get("model.beta", 1.0),
            kl=figures["kl"],
            reduction=reduction,
            pixels=int(figures["pixels"]) if "pixels" in figures else None,
            variance=figures.get("variance", 1.0) if likelihood == "gaussian" else None,
            latent_dim=int(figures.get("model.latent_dim", FIRST_EIGENVALUES)),
            assumed="likelihood" not in given or (likelihood == "gaussian" and "variance" not in given),
        )

    @property
    def overrides(self) -> list[str]:
        """The same likelihood and number of latents, as vae_lab's overrides."""
        likelihood = ["likelihood=bernoulli"]
        if self.variance is not None:
            likelihood = ["likelihood=gaussian", f"likelihood.variance={self.variance}"]
        return [*likelihood, f"model.latent_dim={self.latent_dim}"]

    def evidence(self, eigenvalues: Sequence[float] = ()) -> Evidence:
        """The evidence; with all eigenvalues (P,) of the data where they are known.

        Raises:
            ValueError: when the number of pixels is needed and not given, or is not that of the data.
        """
        if eigenvalues and self.pixels not in (None, len(eigenvalues)):
            raise ArgumentError("pixels", self.pixels, f"the data have {len(eigenvalues)}")
        pixels = len(eigenvalues) or self.pixels
        averaged = self.reduction == "mean"
        if averaged and pixels is None:
            raise ValueError("pixels: must be given with reduction=mean, the number of pixels times channels")
        return Evidence(
            effective_beta=self.beta * (pixels or 1 if averaged else 1),
            rate_weight=self.beta,
            distortion_reduction=self.reduction,
            pixels=pixels,
            variance=self.variance,
            spectrum=list(eigenvalues[: self.latent_dim]),
            rate=self.kl,
            assumed=self.assumed,
        )


def figure(name: str, text: str) -> float:
    """A figure that must not be negative."""
    try:
        return number(name, float(text), low=0)
    except ValueError as error:
        raise ArgumentError(name, text, "must be a finite number >= 0") from error
