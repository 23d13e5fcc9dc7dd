"""From what a person says to the model that is measured, with whatever does not fit noticed on the way."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vae_lab.checks import ArgumentError
from vae_lab.data import ImageData
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.examination.form import Form
from vae_lab.examination.likelihoods import OwnDistortion, OwnDistribution, likelihood_named
from vae_lab.examination.model import Decoding, Encoding, Examined, Itself, Latent
from vae_lab.examination.outputs import from_pixels, named, read_output
from vae_lab.examination.priors import ByUnit, prior_of
from vae_lab.examination.recognition import recognise
from vae_lab.examination.told import Told
from vae_lab.examination.trying import trying

FEW = 16  # examples to try the functions on
DISTRIBUTIONS = {  # by the name of a likelihood
    **{"bernoulli": "Bernoulli", "continuous_bernoulli": "ContinuousBernoulli"},
    **{"gaussian": "Normal", "laplace": "Laplace"},
}
ROUNDING = 1e-5  # by which probabilities may leave [0, 1], and answers differ from call to call


class Opened(NamedTuple):
    """The decoder's side of a model."""

    decoder: nn.Module
    likelihood: Likelihood
    reduction: str
    beta: float
    notes: tuple[str, ...] = ()
    pictures: Callable[[Tensor], Tensor] | None = None


class Opening:
    """What is known while a model is opened: what was told, how examples look, and a few of them.

    Args:
        told: what the person says.
        data: the examples.
        form: how they look.
        device: where the person's networks are.
        dtype: in which precision they take z.
    """

    def __init__(self, told: Told, data: ImageData, form: Form, device: torch.device, dtype: torch.dtype) -> None:
        self.told, self.form, self.dtype, self.device = told, form, dtype, device
        count = min(FEW, len(data.splits["test"].images))
        self.x = data.batch("test", torch.arange(count)).x.to(device)
        self.notes: list[str] = list(told.notes)

    @torch.no_grad()
    def model(self, seed: int) -> Examined:
        """The model.

        Raises:
            ArgumentError: for a function that gives what cannot be read.
        """
        assert self.told.encode is not None
        encoder = Encoding(self.told.encode, self.told.scale, self.form)
        self.latent = self.latent_of(encoder)
        self.z = encoder(self.x)[0]
        opened = self.opened()
        self.notes += opened.notes
        prior = prior_of(self.told.prior, self.latent.size)
        model = Examined(
            encoder,
            opened.decoder,
            opened.likelihood,
            self.latent,
            opened.beta / (self.latent.size if self.told.kl_reduction == "mean" else 1),
            opened.reduction,
            ByUnit(prior, self.latent.units) if self.latent.spatial else prior,
            self.told.plain_elbo,
            opened.pictures,
            seed,
            self.told.floor,
        )
        model.autoregressive = self.told.autoregressive
        return model.eval().to(self.device)

    def latent_of(self, encoder: Encoding) -> Latent:
        """The shape of the latents, and what of it counts as a unit.

        Raises:
            ArgumentError: when they are not one per example, not finite, or another each time.
        """
        with trying("encode", x=self.form.given(self.x)):
            (mean, stddev), (again, _) = encoder.shaped(self.x), encoder.shaped(self.x)
        if mean.ndim < 2 or len(mean) != len(self.x) or mean.shape != stddev.shape:
            shapes = f"mean {tuple(mean.shape)}, scale {tuple(stddev.shape)} for {len(self.x)} examples"
            raise ArgumentError("encode", shapes, "must be two tensors (B, D) or (B, C, H, W)")
        if not (mean.isfinite().all() and stddev.isfinite().all()):
            low, high = float(self.x.min()), float(self.x.max())
            trained = f"or was trained on data of another range than these, {low:.3g} to {high:.3g}"
            raise ArgumentError(
                "encode", "its output", f"holds NaN or infinite values: the model has diverged, {trained}"
            )
        if not torch.allclose(mean, again, atol=ROUNDING, rtol=ROUNDING):
            allowed = "must give the same each time: mean and scale, not a sample; and call model.eval() first"
            raise ArgumentError("encode", "another mean at each call", allowed)
        if self.told.scale == "log_variance" and stddev.min() >= 1 and stddev.max() > 1:
            self.notes.append("every posterior is wider than N(0, I): if encode gives deviations, say scale='stddev'")
        shape = tuple(mean.shape[1:])
        by_channel = len(shape) > 1 and self.told.units != "element"
        return Latent(shape, shape[0] if by_channel else mean[0].numel())

    def opened(self) -> Opened:
        """The decoder's side, from ``distortion`` or ``decode``."""
        if self.told.distortion is not None:
            return self.from_distortion(self.told.distortion)
        output = self.output(self.z)
        return self.from_distribution(output) if isinstance(output, Distribution) else self.from_tensor(output)

    def output(self, z: Tensor) -> Tensor | Distribution:
        """What the person's ``decode`` gives for z (B, D).

        Raises:
            ArgumentError: when it fails, or gives another number of outputs, or others each time.
        """
        decode = self.told.decode
        assert decode is not None
        with trying("decode", z=self.shaped(z)):
            found, again = (read_output(decode(self.shaped(z))) for _ in range(2))
        if not (isinstance(found, Tensor) and isinstance(again, Tensor)):
            return found
        if len(found) != len(z):
            raise ArgumentError("decode", f"{len(found)} outputs for {len(z)} z", "must give one for each")
        if not torch.allclose(found, again, atol=ROUNDING, rtol=ROUNDING, equal_nan=True):
            allowed = "must give the same each time: no sample, and no dropout; call model.eval() first"
            raise ArgumentError("decode", "another output at each call", allowed)
        return found

    def shaped(self, z: Tensor) -> Tensor:
        """Latents z (B, D) as the person's functions take them."""
        return z.view(len(z), *self.latent.shape).to(self.dtype)

    def decoding(self, read: Callable[[Tensor], Tensor]) -> nn.Module:
        """A decoder that reads a tensor from the person's, as images (B, C, H, W) of float32."""
        decode = self.told.decode
        assert decode is not None

        def images(z: Tensor) -> Tensor:
            found = read_output(decode(z))
            inner = named(found) if isinstance(found, Distribution) else None
            tensor = inner[1] if inner else found
            assert isinstance(tensor, Tensor)
            return read(self.form.images(tensor.float()))

        return Decoding(images, self.latent, self.dtype)

    # decode gives a tensor

    def from_tensor(self, output: Tensor) -> Opened:
        """With a likelihood by name, or one of ours.

        Raises:
            ArgumentError: when output or data do not fit it.
        """
        told, likelihood = self.told, likelihood_named(self.told.likelihood, self.told.variance)
        likelihood.to(self.device).eval()
        self.check_data(likelihood)
        output = self.form.images(output.float())
        notes = self.check_output(likelihood, output)

        def read(images: Tensor) -> Tensor:
            return from_pixels(likelihood, images) if told.output == "pixels" else images

        return Opened(self.decoding(read), likelihood, told.reduction, told.beta, notes)

    def check_data(self, likelihood: Likelihood) -> None:
        """Refuse data that a likelihood cannot score.

        Raises:
            ArgumentError: naming the likelihood.
        """
        low, high = float(self.x.min()), float(self.x.max())
        least, most = likelihood.support or (low, high)
        if low < least or high > most:
            allowed = f"needs data in [{least:g}, {most:g}]; these reach from {low:.3g} to {high:.3g}"
            raise ArgumentError("likelihood", type(likelihood).__name__, allowed)
        likelihood.check(self.x)

    def check_output(self, likelihood: Likelihood, output: Tensor) -> tuple[str, ...]:
        """What is odd about a decoder's output (B, C, H, W).

        Raises:
            ArgumentError: when pixels cannot be such.
        """
        if not output.isfinite().all():
            raise ArgumentError("decode", "its output", "holds NaN or infinite values: the model has diverged")
        if likelihood.support is None:
            return ()
        low, high = float(output.min()), float(output.max())
        inside = likelihood.support[0] - ROUNDING <= low and high <= likelihood.support[1] + ROUNDING
        if self.told.output == "pixels" and not inside:
            found = f"decode gives values from {low:.3g} to {high:.3g}, outside [0, 1]"
            raise ArgumentError("output", "pixels", f"{found}; if they are logits, say output='logits'")
        if self.told.output == "logits" and inside:
            return ("all that decode gives lies in [0, 1]: if it ends in a sigmoid, say output='pixels'",)
        return ()

    # decode gives a distribution

    def from_distribution(self, output: Distribution) -> Opened:
        """With the likelihood of ours that it is, or with itself."""
        told, decode = self.told, self.told.decode
        assert decode is not None
        self.check_name(output)
        if found := named(output):
            self.check_data(found[0])
            return Opened(self.decoding(lambda images: images), found[0].to(self.device), told.reduction, told.beta)

        def distribution(z: Tensor) -> Distribution:
            read = read_output(decode(self.shaped(z)))
            assert isinstance(read, Distribution)
            return read

        def pictures(z: Tensor) -> Tensor:
            return self.form.images(distribution(z).mean.float())

        likelihood = OwnDistribution(distribution, self.form)
        return Opened(Itself(), likelihood, told.reduction, told.beta, pictures=pictures)

    def check_name(self, output: Distribution) -> None:
        """Refuse a likelihood by name that is not what ``decode`` gives.

        Raises:
            ArgumentError: naming both.
        """
        given = type(getattr(output, "base_dist", output)).__name__
        if DISTRIBUTIONS.get(str(self.told.likelihood), given) != given:
            pair = "; of two tensors of one shape, which are read as mean and log-variance, take one: decode(z)[0]"
            allowed = f"decode gives a {given}" + (pair if given == "Normal" else "; leave likelihood= out")
            raise ArgumentError("likelihood", self.told.likelihood, allowed)

    # a cost of one's own

    def from_distortion(self, distortion: Callable[[Any, Any], Tensor]) -> Opened:
        """With the likelihood that the cost is recognised as, or with the cost as it is."""
        own = OwnDistortion(lambda z, x: distortion(self.shaped(z), x), self.form)
        with trying("distortion", z=self.shaped(self.z), x=self.form.given(self.x)):
            cost = -own.log_prob(self.z, self.x)
        output = self.output(self.z) if self.told.decode is not None else None
        if isinstance(output, Tensor) and not self.told.autoregressive:
            return self.recognised(own, cost, self.form.images(output.float()))
        unknown = "distortion is taken for a sum; give decode too, and an average over the example would be noticed"
        notes = () if self.told.likelihood else (unknown,)
        return Opened(Itself(), own, self.told.reduction, self.told.beta, notes)

    def recognised(self, own: OwnDistortion, cost: Tensor, output: Tensor) -> Opened:
        """The cost compared with what it would be as a sum."""
        told, x = self.told, self.x
        binary = bool(x.min() >= 0 and x.max() <= 1)
        logits = not bool(output.min() >= -ROUNDING and output.max() <= 1 + ROUNDING)
        params = {"gaussian": output, "laplace": output}
        if binary:
            likelihood = likelihood_named("bernoulli")
            params = {"bernoulli": output if logits else from_pixels(likelihood, output), **params}
        found = recognise(cost, params, x)
        if found is None:
            note = "distortion is none of those that are known here, and is taken for a sum"
            own.pictures = self.decoding(lambda images: images)
            return Opened(Itself(), own, told.reduction, told.beta, (note,), own.pictures)

        def read(images: Tensor) -> Tensor:
            return images if logits else from_pixels(found.likelihood, images)

        words = f"distortion is the {found.words} summed over the example"
        if found.averaged:
            part = f"1/{x[0].numel():,} of the sum"
            words = f"distortion is the mean {found.words}, {part}; the figures below are of the sum"
        weighs = f"it weighs {found.weight:.4g} in the loss, which divides β = {told.beta:g}"
        notes = (words,) if found.weight == 1 else (words, weighs)
        reduction = "mean" if found.averaged else told.reduction
        return Opened(self.decoding(read), found.likelihood.to(self.device), reduction, told.beta / found.weight, notes)
