"""What the page shows of a model and its data. N points, of which M have a thumbnail; D latent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vae_lab.checks import ArgumentError, integer
from vae_lab.data import ImageData
from vae_lab.elbo.priors import Prior
from vae_lab.explorer.blocks import block
from vae_lab.explorer.pixels import thumbnails, to_bytes
from vae_lab.latent_space import Posteriors, posteriors
from vae_lab.models import VAE

POINTS = 2000  # of the scatter: more would only cover each other
LEAST_STDDEV = 1e-6  # that float16 tells from 0
THUMBNAIL_BYTES = 1_600_000  # of all thumbnails together, before they are packed


@dataclass(frozen=True)
class Scene:
    """What the page shows.

    Args:
        posteriors: of N images.
        thumbnails: of the first M of them, (M, H, W, K) uint8.
        shape: (C, H, W) of an image.
        picture: (H, W', K) of a decoded picture.
        value_range: the pixel values that are painted black and white.
        dims: the dimensions of the plane, two, or one where there is no more.
        prior_mean: (D,).
        prior_factor: (D, D), lower triangular: times its transpose it is the prior's covariance.
        draws: whether a picture is a slow sample of p(x|z), and not its mean.
        title: names the model and the data.
        about: says more of them, in one line.
    """

    posteriors: Posteriors
    thumbnails: Tensor
    shape: tuple[int, int, int]
    picture: tuple[int, ...]
    value_range: tuple[float, float]
    dims: tuple[int, ...]
    prior_mean: Tensor
    prior_factor: Tensor
    draws: bool
    title: str
    about: str = ""

    def content(self) -> dict[str, Any]:
        """The scene as the page reads it: plain data."""
        found = self.posteriors
        return {
            **{"title": self.title, "about": self.about, "draws": self.draws},
            **{"dims": self.dims, "order": found.by_use, "rates": found.rate_dim.tolist()},
            **{
                "shape": self.shape,
                "picture": self.picture,
                "range": self.value_range,
                "thumbnail": tuple(self.thumbnails.shape[1:]),
            },
            "labels": None if found.labels is None else found.labels.tolist(),
            "rate": block(found.rate.sum(1)),
            "mean": block(found.mean),
            "stddev": block(found.stddev.clamp(min=LEAST_STDDEV)),
            "priorMean": block(self.prior_mean),
            "priorFactor": block(self.prior_factor, "float32"),
            "thumbnails": block(self.thumbnails),
        }


@torch.no_grad()
def scene_of(
    model: VAE, data: ImageData, split: str = "test", dims: Sequence[int] | None = None, about: str = ""
) -> Scene:
    """Gather what the page shows of a model and the first images of a split.

    Args:
        model: in evaluation mode.
        data: that it was trained on.
        split: whose images are shown.
        dims: of the plane; the two with the highest rate by default.
        about: a line below the title.

    Raises:
        ArgumentError: for dimensions that the model does not have, or more or fewer than the plane has.

    Example:
        >>> from vae_lab.data import Digits
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> model = VAE(MLPEncoder((1, 8, 8), 3), MLPDecoder((1, 8, 8), 3), Bernoulli(), latent_dim=3)
        >>> scene = scene_of(model.eval(), Digits(), dims=[2, 0])
        >>> scene.title, scene.dims, scene.picture
        ('VAE on Digits', (2, 0), (8, 8, 1))
    """
    found = posteriors(model, data, split, limit=POINTS)
    like = torch.zeros(1, *data.image_shape)
    prior_mean, prior_factor = moments(model.prior, model.latent_dim)
    return Scene(
        posteriors=found,
        thumbnails=some_thumbnails(data, split, len(found.mean)),
        shape=data.image_shape,
        picture=tuple(to_bytes(like, data.value_range).shape[1:]),
        value_range=data.value_range,
        dims=plane(found.by_use if dims is None else dims, model.latent_dim, chosen=dims is not None),
        prior_mean=prior_mean,
        prior_factor=prior_factor,
        draws=model.autoregressive,
        title=f"{type(model).__name__} on {type(data).__name__}",
        about=about,
    )


def plane(dims: Sequence[int], latent_dim: int, chosen: bool) -> tuple[int, ...]:
    """The dimensions of the plane, checked where a person has ``chosen`` them."""
    wanted = min(2, latent_dim)
    if not chosen:
        return tuple(dims[:wanted])
    written = ",".join(map(str, dims))
    for dim in dims:
        if not 0 <= dim < latent_dim:
            raise ArgumentError("dims", written, f"must be dimensions from 0 to {latent_dim - 1}")
    if len(dims) != wanted or len(set(dims)) != wanted:
        raise ArgumentError("dims", written, "must be 0" if wanted == 1 else "must be two different dimensions")
    return tuple(integer("dims", dim, low=0) for dim in dims)


def some_thumbnails(data: ImageData, split: str, most: int) -> Tensor:
    """Thumbnails of the first images of a split, as many as ``THUMBNAIL_BYTES`` allow, at most ``most``."""
    one = thumbnails(data.batch(split, torch.arange(1)).x, data.value_range)
    chosen = torch.arange(min(most, max(THUMBNAIL_BYTES // one.numel(), 1)))
    parts = [thumbnails(data.batch(split, part).x, data.value_range) for part in chosen.split(data.eval_batch_size)]
    return torch.cat(parts)


def moments(prior: Prior, latent_dim: int) -> tuple[Tensor, Tensor]:
    """Mean (D,) and Cholesky factor (D, D) of a Gaussian prior, whose samples are linear in their noise.

    Example:
        >>> from vae_lab.elbo.priors import AR1
        >>> moments(AR1(delta=1.0, latent_dim=2, steps=2), latent_dim=2)[1]
        tensor([[1.0000, 0.0000],
                [0.9299, 0.3679]])
    """
    like = next(prior.buffers(), torch.zeros(()))
    mean = prior.sample(torch.zeros(1, latent_dim).to(like))[0]
    rows = prior.sample(torch.eye(latent_dim).to(like)) - mean
    upper: Tensor = torch.linalg.qr(rows.double()).R
    signs = torch.where(upper.diagonal() < 0, -1.0, 1.0)
    return mean.float(), (upper * signs[:, None]).T.float()
