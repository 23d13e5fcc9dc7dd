"""A perceptual term beside the ELBO."""

from typing import Any, ClassVar

from typing_extensions import override

from vae_lab.callbacks.remedy import Remedy
from vae_lab.checks import ArgumentError, choice, flag, integer, number
from vae_lab.data import ImageData
from vae_lab.models import VAE
from vae_lab.perceptual import NETWORKS, PerceptualLoss, Wanted, features_for


class Perceptual(Remedy):
    """Adds λ times a distance of feature maps to the loss (DFC-VAE, Hou et al. 2017), for any model.

    loss = ... + λ · mean_b d( mean image of p(x_b|z_b), x_b )

    with ``vae_lab.perceptual.distance`` as d. Rate, distortion and ELBO stay the true ones; d is logged as
    ``perceptual``. The network is frozen and lies in no checkpoint, which names it by these arguments. In mixed
    precision the term is computed in full, as the whole objective is.

    Args:
        network: ``lite0``, ``vgg16`` or ``classifier``.
        lambd: λ >= 0, nats per unit of d.
        size: images are resized to that length of their shorter side; None leaves them as they are.
        trained: take the network's trained weights; else they are drawn from the seed.
        seed: of drawn weights, and of the classifier's training.
        weights: the file of ``vgg16``'s weights; None looks in torch.hub's cache.

    Raises:
        ArgumentError: for whatever cannot be.

    Example:
        >>> perceptual = Perceptual("lite0", lambd=50.0, size=64)
        >>> perceptual.lambd
        50.0
    """

    places: ClassVar[tuple[str, ...]] = ("perceptual",)

    def __init__(
        self,
        network: str = "lite0",
        lambd: float = 100.0,
        size: int | None = None,
        trained: bool = True,
        seed: int = 0,
        weights: str | None = None,
    ) -> None:
        self.network, self.lambd = choice("network", network, NETWORKS), number("lambd", lambd, low=0)
        size = None if size is None else integer("size", size, low=8, high=1024)
        self.wanted = Wanted(size, flag("trained", trained), integer("seed", seed, low=0), weights)

    @override
    def install(self, model: Any) -> None:
        super().install(model)
        if model.autoregressive:
            allowed = "needs a decoder that gives a mean image; an autoregressive one gives none"
            raise ArgumentError("network", self.network, allowed)
        if model.perceptual is None:
            model.perceptual = PerceptualLoss(self.lambd)
            model.plain_elbo = False  # of this model alone

    @override
    def prepare(self, model: VAE, data: ImageData) -> None:
        assert model.perceptual is not None
        model.perceptual.features = features_for(self.network, self.wanted, data).to(model.kl_weight)

    @override
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and pl_module.perceptual.features is None:  # a trainer of a person's own
            data = getattr(trainer, "datamodule", None)
            if not isinstance(data, ImageData):
                raise ValueError("Perceptual: needs trainer.fit(model, datamodule=...) with data of vae_lab")
            self.prepare(pl_module, data)
