"""The whole ELBO. Read it top to bottom: q(z|x), z, log p(x|z), KL, objective.

Shapes: B batch, D latent, K importance samples, S noise streams; images are (B, C, H, W). All figures in nats.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from vae_lab import noise
from vae_lab.checks import choice, integer
from vae_lab.collective import batch_mean
from vae_lab.data.batch import as_batch
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.priors import Prior, StandardNormal
from vae_lab.elbo.schedules import NO_DECAY, Decay
from vae_lab.models.rate_cost import RateCost
from vae_lab.networks.pixel_sampling import sample_pixels
from vae_lab.perceptual import PerceptualLoss


class Terms(NamedTuple):
    """One pass through the model, as the objective sees it. ``rate`` and ``distortion`` are the true ones."""

    x: Tensor  # (B, C, H, W)
    mean: Tensor  # (B, D), of q(z|x)
    stddev: Tensor  # (B, D), of q(z|x)
    z: Tensor  # (B, D), one sample of q(z|x)
    params: Tensor  # (B, P, H, W), the decoder's output; P is C for most likelihoods
    distortion: Tensor  # (B,), -log p(x|z)
    rate: Tensor  # (B, D), KL( q(z|x) ‖ p(z) ) per dimension
    noise: Tensor  # (S, B, D), standard normal


class Output(NamedTuple):
    """What ``VAE.forward`` gives."""

    loss: Tensor  # (), the objective at its present coefficients
    extra: dict[str, Tensor]  # further terms of the loss by name, each ()
    terms: Terms


class VAE(RateCost, LightningModule):
    """The variational autoencoder (Kingma & Welling 2014, equation 10).

    loss = mean_b distortion_b + rate_weight · kl_weight · penalty(rate)

    with means over the batch of all processes. kl_weight · penalty(rate) is its ``RateCost``: kl_weight in [0, 1]
    belongs to KL annealing, the penalty to free bits and their like; without them, and with the rate weight of 1 that
    it has here, the loss is the negative ELBO. It is a pure function of parameters, buffers, images and noise. Where a
    callback has put it in, λ times a ``perceptual`` distance of the mean images is added.

    A variant says what differs: ``rate_weight``, ``posterior``, the prior, or a further term of ``objective``. What
    diagnosis, theory and reports need to know of it, it declares:

    - ``plain_elbo``: its prior is N(0, I), its posterior any diagonal Gaussian, and its loss the formula above with
      nothing added; a subclass that does not say so itself is taken not to be;
    - ``rate_weight_key``: the config key that sets ``rate_weight``, where there is one;
    - ``holds_rate``: its prior or posterior guarantees a rate, whatever z carries;
    - ``batchwise_terms``: what is computed over the batch, in words; empty where nothing is;
    - ``beside_the_loss``: attributes that no pass reads, so that models which differ in them can be stacked.

    Args:
        encoder: maps images (B, C, H, W) to two tensors (B, D): location and raw scale, read here as mean and log σ².
        decoder: maps z (B, D) to (B, C, H, W), the likelihood's parameters; one with a true ``autoregressive`` maps z
            and the images (B, C, H, W), each pixel's parameters depending on z and the pixels before it only; one with
            a ``noise_size`` N maps z and standard normal noise (B, N), whose mixture p(x|z) is then.
        likelihood: p(x|z).
        latent_dim: D.
        optimizer: makes an optimizer from the parameters.
        seed: all noise of training and evaluation derives from it.
        prior: p(z), N(0, I) when None.
        distortion_reduction: how the loss reduces the distortion over pixels: ``sum``, or ``mean``, which is wrong and
            there to show what it does: it multiplies β by the number of pixels.
        lr_decay: how the learning rate falls over the run.

    Raises:
        ValueError: when ``latent_dim`` is not a whole number >= 1, or for an unknown reduction or decay.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> shape = (1, 8, 8)
        >>> model = VAE(MLPEncoder(shape, 2), MLPDecoder(shape, 2), Bernoulli(), latent_dim=2)
        >>> output = model(torch.rand(5, 1, 8, 8), torch.randn(1, 5, 2))
        >>> output.loss.shape, output.terms.rate.shape
        (torch.Size([]), torch.Size([5, 2]))
        >>> model.sample(3).shape
        torch.Size([3, 1, 8, 8])
    """

    plain_elbo: ClassVar[bool] = True
    rate_weight_key: ClassVar[str | None] = None
    holds_rate: ClassVar[bool] = False
    batchwise_terms: ClassVar[str] = ""
    beside_the_loss: ClassVar[tuple[str, ...]] = ("optimizer", "lr_decay", "seed")
    noise_streams: int = 1
    min_batch_size: int = 1
    min_eval_batch_size: int = 1

    def __init_subclass__(cls, **options: Any) -> None:
        """Take a variant for no plain ELBO unless it says that it is one."""
        super().__init_subclass__(**options)
        if "plain_elbo" not in vars(cls):
            cls.plain_elbo = False

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
        lr_decay: Decay = NO_DECAY,
    ) -> None:
        super().__init__()
        self.latent_dim = integer("latent_dim", latent_dim)
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.autoregressive = bool(getattr(decoder, "autoregressive", False))
        self.noise_size = int(getattr(decoder, "noise_size", 0))
        self.noise_streams += -(-self.noise_size // latent_dim)  # the last ones are the decoder's
        self.prior: Prior = prior or StandardNormal()
        self.sampling_prior: Prior | None = None  # where ``sample`` does not draw from the prior itself
        self.perceptual: PerceptualLoss | None = None  # a further term, where there is one
        self.optimizer, self.seed = optimizer, seed
        self.distortion_reduction = choice("distortion_reduction", distortion_reduction, ("sum", "mean"))
        self.lr_decay = lr_decay

    # the objective

    def encoded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder says of x: location and raw scale, each (B, D)."""
        location, raw_scale = self.encoder(x)
        return self.own_precision(location), self.own_precision(raw_scale)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, each (B, D), of the Gaussian q(z|x)."""
        mean, log_variance = self.encoded(x)
        return mean, (0.5 * log_variance).exp()

    def predict(self, z: Tensor, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """The parameters (B, P, H, W) of p(x|z) for z (B, D); each pixel's may depend on those before it in x.

        ``noise`` (B, N) is what a decoder with noise takes, 0 where none is given.
        """
        inputs = [z, x] if self.autoregressive else [z]
        if self.noise_size:
            inputs.append(z.new_zeros(len(z), self.noise_size) if noise is None else noise)
        params: Tensor = self.decoder(*inputs)
        return self.own_precision(params)

    def decoder_noise(self, noise: Tensor) -> Tensor | None:
        """What the decoder takes (B, N) of the noise (S, B, D) of a pass, its last streams; None for one without."""
        if not self.noise_size:
            return None
        own = self.noise_streams + (-self.noise_size // self.latent_dim)
        return noise[own:].transpose(0, 1).flatten(1)[:, : self.noise_size]

    def rate_weight(self) -> Tensor:
        """What the penalised rate weighs in the loss, (), when ``kl_weight`` is 1: β, where the paper has one."""
        return torch.ones_like(self.kl_weight)

    def objective(self, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss () and, by name, what it holds beside distortion and rate.

        A variant with a further term adds it to what ``super().objective(terms)`` gives.
        """
        distortion = batch_mean(terms.distortion)
        if self.distortion_reduction == "mean":
            distortion = distortion / terms.x[0].numel()
        loss = distortion + self.rate_weight() * self.rate_cost(terms.rate)
        if self.perceptual is None or self.perceptual.features is None:
            return loss, {}
        distance = batch_mean(self.perceptual(self.likelihood(terms.params).mean, terms.x))
        return loss + self.perceptual.lambd * distance, {"perceptual": distance}

    def forward(self, x: Tensor, noise: Tensor) -> Output:
        """Compute loss and terms of the images x (B, C, H, W) with the standard normal noise (S, B, D)."""
        mean, stddev = self.posterior(x)
        z = mean + stddev * noise[0]
        params = self.predict(z, x, self.decoder_noise(noise))
        with full_precision(x):  # mixed precision is for the networks
            distortion = -self.likelihood.log_prob(params, x)
            rate = self.prior.rate(mean, stddev)
            terms = Terms(x, mean, stddev, z, params, distortion, rate, noise)
            return Output(*self.objective(terms), terms)

    def rate_floor(self) -> float:
        """Nats per image below which the rate cannot fall, or is not pushed, whatever z carries."""
        return self.penalty.floor(self.latent_dim)

    def commitment(self) -> str:
        """What this model guarantees about its rate before it is trained, in one line; empty where it is nothing."""
        return ""

    # using a trained model: floats of any precision are read in the model's own

    def own_precision(self, values: Tensor) -> Tensor:
        """Floats in the precision of the model; whole numbers stay what they are, since their scale is not known."""
        return values.to(self.kl_weight.dtype) if values.is_floating_point() else values

    def encode(self, x: Tensor) -> torch.distributions.Normal:
        """q(z|x) of images (B, C, H, W), batch shape (B, D)."""
        return torch.distributions.Normal(*self.posterior(self.own_precision(x)))

    def decode(self, z: Tensor, seed: int = 0, progress: bool = False) -> Tensor:
        """The mean image of p(x|z), (B, C, H, W), of latents (B, D).

        An autoregressive decoder has none: one image per latent is drawn, pixel by pixel, from ``seed``; ``progress``
        shows a bar of the pixels. A decoder with noise gets one draw of it, from ``seed``, for all latents: their
        images differ by z alone.
        """
        z = self.own_precision(z)
        if self.autoregressive:
            return sample_pixels(self.decoder, self.likelihood, z, seed, progress)
        draw = noise.normal((1, self.noise_size), z, seed=seed, purpose="decode", index=0)
        return self.mean_image(z, draw.expand(len(z), -1))

    def mean_image(self, z: Tensor, noise: Tensor) -> Tensor:
        """The mean image (B, C, H, W) of p(x|z) of a decoder that does not read pixels, at the noise (B, N)."""
        images: Tensor = self.likelihood(self.predict(z, z, noise)).mean
        return images

    def reconstruct(self, x: Tensor, seed: int = 0, progress: bool = False) -> Tensor:
        """Decode the posterior mean of x (B, C, H, W) to images (B, C, H, W)."""
        return self.decode(self.posterior(self.own_precision(x))[0], seed, progress)

    def sample(self, n: int, seed: int = 0, progress: bool = False) -> Tensor:
        """Decode n draws from the prior to images (n, C, H, W); the same seed gives the same images."""
        draws = noise.normal((n, self.latent_dim), self.kl_weight, seed=seed, purpose="sample", index=0)
        z = (self.sampling_prior or self.prior).sample(draws)
        if not self.noise_size:
            return self.decode(z, seed, progress)
        return self.mean_image(z, noise.normal((n, self.noise_size), z, seed=seed, purpose="sample", index=1))

    def log_weights(self, x: Tensor, noise: Tensor) -> Tensor:
        """Importance log-weights log p(x,z) - log q(z|x) of x (B, C, H, W) with noise (K, B, D + N): (K, B).

        The last N numbers are the decoder's noise, drawn from its own density on both sides of the ratio.
        """
        x, noise = self.own_precision(x), self.own_precision(noise)
        noise, of_decoder = noise.split([self.latent_dim, self.noise_size], dim=-1)
        mean, stddev = self.posterior(x)
        z = mean + stddev * noise
        log_q = (-0.5 * (noise.square() + math.log(2 * math.pi)) - stddev.log()).sum(-1)
        images = x.expand(len(z), *x.shape).flatten(0, 1)
        params = self.predict(z.flatten(0, 1), images, of_decoder.flatten(0, 1))
        log_likelihood = self.likelihood.log_prob(params, images)
        log_joint = log_likelihood.view(len(z), len(x)) + self.prior.log_prob(z)
        return log_joint - log_q

    # training

    def training_noise(self, batch_size: int) -> Tensor:
        """Standard normal noise (S, B, D) of the next optimizer step.

        It is drawn for the batch of all processes together; each takes its own rows.
        """
        drawn = self.noise_of_step(self.global_step, batch_size * self.trainer.world_size)
        return drawn[:, self.global_rank * batch_size :][:, :batch_size]

    def noise_of_step(self, step: int, batch_size: int) -> Tensor:
        """Standard normal noise (S, B, D) of an optimizer step, for the batch of all processes."""
        shape = (self.noise_streams, batch_size, self.latent_dim)
        return noise.normal(shape, self.kl_weight, seed=self.seed, purpose="train", index=step)

    def evaluation_noise(self, indices: Tensor, purpose: str) -> Tensor:
        """Standard normal noise (S, B, D) of the images with these indices (B,) in their split.

        It does not depend on what else is in the batch.
        """
        width = self.noise_streams * self.latent_dim
        rows = noise.normal_rows(indices, width, self.kl_weight, seed=self.seed, purpose=purpose)
        return rows.view(len(indices), self.noise_streams, self.latent_dim).transpose(0, 1)

    def configure_optimizers(self) -> Any:
        optimizer, schedule = self.optimizer_of(self.parameters(), int(self.trainer.max_steps))
        if schedule is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_of(
        self, parameters: Iterable[nn.Parameter], steps: int
    ) -> tuple[torch.optim.Optimizer, LambdaLR | None]:
        """The optimizer of these parameters, and the schedule of its learning rate over so many steps, if it falls."""
        optimizer = self.optimizer(parameters)
        return optimizer, None if self.lr_decay.constant else LambdaLR(optimizer, self.lr_decay(steps))

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        x = as_batch(batch, batch_idx).x
        output: Output = self(x, self.training_noise(len(x)))
        return {"loss": output.loss, "output": detached(output)}

    def validation_step(self, batch: Any, batch_idx: int) -> Output:  # type: ignore[override]
        return self.evaluated(batch, batch_idx, "val")

    def test_step(self, batch: Any, batch_idx: int) -> Output:  # type: ignore[override]
        return self.evaluated(batch, batch_idx, "test")

    def evaluated(self, batch: Any, batch_idx: int, purpose: str) -> Output:
        """The pass of an evaluation batch with the noise of its images, in full precision: figures are exact."""
        x, indices, *_ = as_batch(batch, batch_idx)
        with full_precision(x):
            output: Output = self(x, self.evaluation_noise(indices, purpose))
        return output


def full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """A block without mixed precision on the device of x: everything keeps the precision that it has."""
    mixed = torch.is_autocast_enabled(x.device.type)
    return torch.autocast(x.device.type, enabled=False) if mixed else nullcontext()


def detached(output: Output) -> Output:
    """The same figures, without the graph that they came from."""
    extra = {name: value.detach() for name, value in output.extra.items()}
    return Output(output.loss.detach(), extra, Terms(*(term.detach() for term in output.terms)))
