"""The whole ELBO. Read it top to bottom: q(z|x), z, log p(x|z), KL, objective, log.

Shapes: B batch, D latent, K importance samples, S noise streams; images are (B, C, H, W). All figures in nats.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from vae_lab import noise
from vae_lab.checks import choice, integer
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.penalties import Penalty, Plain
from vae_lab.elbo.priors import Prior, StandardNormal
from vae_lab.elbo.schedules import DECAYS, make_decay
from vae_lab.networks.pixel_sampling import draw_images
from vae_lab.steps import is_logged


class Terms(NamedTuple):
    """What one pass computes. ``rate`` and ``distortion`` are the true ones; ``loss`` holds the weights."""

    loss: Tensor  # (), the objective at its present coefficients
    distortion: Tensor  # (B,), -log p(x|z)
    rate: Tensor  # (B, D), KL( q(z|x) ‖ p(z) ) per dimension
    mean: Tensor  # (B, D), of q(z|x)
    stddev: Tensor  # (B, D), of q(z|x)
    z: Tensor  # (B, D), one sample of q(z|x)
    params: Tensor  # (B, C, H, W), the decoder's output
    extra: dict[str, Tensor]  # further terms of the loss by name, each ()


class VAE(LightningModule):
    """The variational autoencoder (Kingma & Welling 2014, equation 10).

    loss = mean_b distortion_b + kl_weight · penalty(rate), where kl_weight in [0, 1] belongs to KL annealing and the
    penalty to free bits; without both it is the negative ELBO. The loss is a pure function of parameters, buffers,
    images and noise.

    Args:
        encoder: maps images (B, C, H, W) to two tensors (B, D): location and raw scale, read here as mean and log σ².
        decoder: maps z (B, D) to (B, C, H, W), the likelihood's parameters; one with a true ``autoregressive`` maps z
            and the images (B, C, H, W), each pixel's parameters depending on z and the pixels before it only.
        likelihood: p(x|z).
        latent_dim: D.
        optimizer: makes an optimizer from the parameters.
        seed: all noise of training and evaluation derives from it.
        prior: p(z), N(0, I) when None.
        distortion_reduction: how the loss reduces the distortion over pixels: ``sum``, or ``mean``, which is wrong and
            there to show what it does: it multiplies β by the number of pixels.
        lr_decay: how the learning rate falls to 0 over the run: ``none``, ``linear`` or ``cosine``.

    Raises:
        ValueError: when ``latent_dim`` is not a whole number >= 1, or for an unknown reduction or decay.
    """

    noise_streams = 1
    min_batch_size = 1
    kl_weight: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        latent_dim: int,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] = torch.optim.Adam,
        seed: int = 0,
        prior: Prior | None = None,
        distortion_reduction: str = "sum",
        lr_decay: str = "none",
    ) -> None:
        super().__init__()
        self.latent_dim = integer("latent_dim", latent_dim)
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.autoregressive = bool(getattr(decoder, "autoregressive", False))
        self.prior: Prior = prior or StandardNormal()
        self.sampling_prior: Prior | None = None  # where ``sample`` does not draw from the prior itself
        self.penalty: Penalty = Plain()
        self.register_buffer("kl_weight", torch.tensor(1.0))
        self.optimizer, self.seed = optimizer, seed
        self.distortion_reduction = choice("distortion_reduction", distortion_reduction, ("sum", "mean"))
        self.lr_decay = choice("lr_decay", lr_decay, DECAYS)

    # the objective

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, each (B, D), of the Gaussian q(z|x)."""
        mean, log_variance = self.encoder(x)
        return mean, (0.5 * log_variance).exp()

    def predict(self, z: Tensor, x: Tensor) -> Tensor:
        """The parameters (B, C, H, W) of p(x|z) for z (B, D); each pixel's may depend on those before it in x."""
        params: Tensor = self.decoder(z, x) if self.autoregressive else self.decoder(z)
        return params

    def objective(self, distortion: Tensor, rate: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss () and, by name, what it holds beside distortion and rate. This is what most variants override."""
        return distortion.mean() + self.kl_weight * self.penalty(rate), {}

    def forward(self, x: Tensor, noise: Tensor) -> Terms:
        """Compute all terms of the images x (B, C, H, W) with the standard normal noise (S, B, D)."""
        mean, stddev = self.posterior(x)
        z = mean + stddev * noise[0]
        params = self.predict(z, x)
        distortion = -self.likelihood.log_prob(params, x)
        rate = self.prior.rate(mean, stddev)
        counted = distortion / x[0].numel() if self.distortion_reduction == "mean" else distortion
        loss, extra = self.objective(counted, rate, z, noise)
        return Terms(loss, distortion, rate, mean, stddev, z, params, extra)

    def rate_floor(self) -> float:
        """Nats per image below which the rate cannot fall, or is not pushed, whatever z carries."""
        return self.penalty.floor(self.latent_dim)

    def commitment(self) -> str:
        """What this model guarantees about its rate before it is trained, in one line; empty where it is nothing."""
        return ""

    def rate_weight(self) -> float:
        """What the rate weighs in the loss when ``kl_weight`` is 1: β where the paper has one."""
        return 1.0

    # using a trained model

    def encode(self, x: Tensor) -> torch.distributions.Normal:
        """q(z|x) of images (B, C, H, W), batch shape (B, D)."""
        return torch.distributions.Normal(*self.posterior(x))

    def decode(self, z: Tensor, seed: int = 0, progress: bool = False) -> Tensor:
        """The mean image of p(x|z), (B, C, H, W), of latents (B, D).

        An autoregressive decoder has none: one image per latent is drawn, pixel by pixel, from ``seed``; ``progress``
        shows a bar of the pixels.
        """
        if self.autoregressive:
            return draw_images(self.decoder, self.likelihood, z, seed, progress)
        images: Tensor = self.likelihood(self.decoder(z)).mean
        return images

    def reconstruct(self, x: Tensor, seed: int = 0, progress: bool = False) -> Tensor:
        """Decode the posterior mean of x (B, C, H, W) to images (B, C, H, W)."""
        return self.decode(self.posterior(x)[0], seed, progress)

    def sample(self, n: int, seed: int = 0, progress: bool = False) -> Tensor:
        """Decode n draws from the prior to images (n, C, H, W); the same seed gives the same images."""
        draws = noise.normal((n, self.latent_dim), self.kl_weight, seed=seed, purpose="sample", index=0)
        return self.decode((self.sampling_prior or self.prior).sample(draws), seed, progress)

    def log_weights(self, x: Tensor, noise: Tensor) -> Tensor:
        """Importance log-weights log p(x,z) - log q(z|x) of x (B, C, H, W) with noise (K, B, D): (K, B)."""
        mean, stddev = self.posterior(x)
        z = mean + stddev * noise
        log_q = (-0.5 * (noise.square() + math.log(2 * math.pi)) - stddev.log()).sum(-1)
        images = x.expand(len(z), *x.shape).flatten(0, 1)
        log_likelihood = self.likelihood.log_prob(self.predict(z.flatten(0, 1), images), images)
        log_joint = log_likelihood.view(len(z), len(x)) + self.prior.log_prob(z)
        return log_joint - log_q

    # training

    def draw_noise(self, x: Tensor, purpose: str, index: int) -> Tensor:
        """Standard normal noise (S, B, D) for batch number ``index`` of ``purpose``."""
        shape = (self.noise_streams, len(x), self.latent_dim)
        return noise.normal(shape, x, seed=self.seed, purpose=purpose, index=index)

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.lr_decay == "none":
            return optimizer
        schedule = LambdaLR(optimizer, make_decay(self.lr_decay, int(self.trainer.max_steps)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, x: Tensor, batch_idx: int) -> dict[str, Tensor]:
        terms: Terms = self(x, self.draw_noise(x, "train", batch_idx))
        if is_logged(self.trainer, batch_idx):
            rate, distortion = terms.rate.detach().sum(1).mean(), terms.distortion.detach().mean()
            figures = {"loss": terms.loss.detach(), "elbo": -rate - distortion, "rate": rate, "distortion": distortion}
            figures |= {name: value.detach() for name, value in terms.extra.items()}
            self.log_dict({f"train/{name}": value for name, value in figures.items()})
        return {"loss": terms.loss, "rate": terms.rate.detach(), "distortion": terms.distortion.detach()}

    def validation_step(self, x: Tensor, batch_idx: int) -> Terms:  # type: ignore[override]
        terms: Terms = self(x, self.draw_noise(x, "val", batch_idx))
        return terms

    def test_step(self, x: Tensor, batch_idx: int) -> Terms:  # type: ignore[override]
        terms: Terms = self(x, self.draw_noise(x, "test", batch_idx))
        return terms
