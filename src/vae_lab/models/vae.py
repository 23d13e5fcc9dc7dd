"""The whole ELBO. Read it top to bottom: q(z|x), z, log p(x|z), KL, objective, log.

Shapes: B batch, D latent, K importance samples, S noise streams; images are (B, C, H, W). All figures in nats.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from vae_lab import noise
from vae_lab.checks import choice, integer
from vae_lab.likelihoods import Likelihood
from vae_lab.penalties import Penalty, Plain
from vae_lab.priors import Prior, StandardNormal
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
        decoder: maps z (B, D) to (B, C, H, W), the likelihood's parameters.
        likelihood: p(x|z).
        latent_dim: D.
        optimizer: makes an optimizer from the parameters.
        seed: all noise of training and evaluation derives from it.
        prior: p(z), N(0, I) when None.
        distortion_reduction: how the loss reduces the distortion over pixels: ``sum``, or ``mean``, which is wrong and
            there to show what it does: it multiplies β by the number of pixels.

    Raises:
        ValueError: when ``latent_dim`` is not a whole number >= 1, or for an unknown reduction.
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
    ) -> None:
        super().__init__()
        self.latent_dim = integer("latent_dim", latent_dim)
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.prior: Prior = prior or StandardNormal()
        self.penalty: Penalty = Plain()
        self.register_buffer("kl_weight", torch.tensor(1.0))
        self.optimizer, self.seed = optimizer, seed
        self.distortion_reduction = choice("distortion_reduction", distortion_reduction, ("sum", "mean"))

    # the objective

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, each (B, D), of the Gaussian q(z|x)."""
        mean, log_variance = self.encoder(x)
        return mean, (0.5 * log_variance).exp()

    def objective(self, distortion: Tensor, rate: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss () and, by name, what it holds beside distortion and rate. This is what most variants override."""
        return distortion.mean() + self.kl_weight * self.penalty(rate), {}

    def forward(self, x: Tensor, noise: Tensor) -> Terms:
        """Compute all terms of the images x (B, C, H, W) with the standard normal noise (S, B, D)."""
        mean, stddev = self.posterior(x)
        z = mean + stddev * noise[0]
        params = self.decoder(z)
        distortion = -self.likelihood.log_prob(params, x)
        rate = self.prior.rate(mean, stddev)
        counted = distortion / x[0].numel() if self.distortion_reduction == "mean" else distortion
        loss, extra = self.objective(counted, rate, z, noise)
        return Terms(loss, distortion, rate, mean, stddev, z, params, extra)

    def rate_floor(self) -> float:
        """Nats per image below which the rate cannot fall, or is not pushed, whatever z carries."""
        return self.penalty.floor(self.latent_dim)

    def rate_weight(self) -> float:
        """What the rate weighs in the loss when ``kl_weight`` is 1: β where the paper has one."""
        return 1.0

    # using a trained model

    def encode(self, x: Tensor) -> torch.distributions.Normal:
        """q(z|x) of images (B, C, H, W), batch shape (B, D)."""
        return torch.distributions.Normal(*self.posterior(x))

    def decode(self, z: Tensor) -> Tensor:
        """The mean image of p(x|z), (B, C, H, W), of latents (B, D)."""
        images: Tensor = self.likelihood(self.decoder(z)).mean
        return images

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean image (B, C, H, W) decoded from the posterior mean of x (B, C, H, W)."""
        return self.decode(self.posterior(x)[0])

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Mean images (n, C, H, W) of n draws from the prior; the same seed draws the same latents."""
        draws = noise.normal((n, self.latent_dim), self.kl_weight, seed=seed, purpose="sample", index=0)
        return self.decode(self.prior.sample(draws))

    def log_weights(self, x: Tensor, noise: Tensor) -> Tensor:
        """Importance log-weights log p(x,z) - log q(z|x) of x (B, C, H, W) with noise (K, B, D): (K, B)."""
        mean, stddev = self.posterior(x)
        z = mean + stddev * noise
        log_q = (-0.5 * (noise.square() + math.log(2 * math.pi)) - stddev.log()).sum(-1)
        images = x.expand(len(z), *x.shape).flatten(0, 1)
        log_likelihood = self.likelihood.log_prob(self.decoder(z.flatten(0, 1)), images)
        log_joint = log_likelihood.view(len(z), len(x)) + self.prior.log_prob(z)
        return log_joint - log_q

    # training

    def draw_noise(self, x: Tensor, purpose: str, index: int) -> Tensor:
        """Standard normal noise (S, B, D) for batch number ``index`` of ``purpose``."""
        shape = (self.noise_streams, len(x), self.latent_dim)
        return noise.normal(shape, x, seed=self.seed, purpose=purpose, index=index)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())

    def training_step(self, x: Tensor, batch_idx: int) -> Tensor:
        terms: Terms = self(x, self.draw_noise(x, "train", batch_idx))
        if is_logged(self.trainer, batch_idx):
            rate, distortion = terms.rate.detach().sum(1).mean(), terms.distortion.detach().mean()
            figures = {"loss": terms.loss.detach(), "elbo": -rate - distortion, "rate": rate, "distortion": distortion}
            figures |= {name: value.detach() for name, value in terms.extra.items()}
            self.log_dict({f"train/{name}": value for name, value in figures.items()})
        return terms.loss

    def validation_step(self, x: Tensor, batch_idx: int) -> Terms:  # type: ignore[override]
        terms: Terms = self(x, self.draw_noise(x, "val", batch_idx))
        return terms

    def test_step(self, x: Tensor, batch_idx: int) -> Terms:  # type: ignore[override]
        terms: Terms = self(x, self.draw_noise(x, "test", batch_idx))
        return terms
