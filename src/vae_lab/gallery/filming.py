"""A frame of the film: the latent space of a model as it is now."""

import torch

from vae_lab.figures.frames import Frame
from vae_lab.gallery.subject import Subject
from vae_lab.latent_space import plane, posteriors

IMAGES = 500  # whose posterior means a frame shows
GRID, FEW = 11, 4  # pictures along a side; for a decoder that draws pixels


def record(subject: Subject, step: int, dims: tuple[int, ...] | None) -> Frame:
    """The frame of a step, of the two given dimensions or of those that are most used now."""
    model = subject.model
    found = posteriors(model, subject.data, subject.settings.split, IMAGES)
    dims = dims or tuple(sorted(found.by_use[:2]))
    side = subject.values(subject.count(subject.settings.grid, GRID, FEW))
    up = side if len(dims) > 1 else None
    points = found.mean[:, list(dims)] if up is not None else torch.stack([found.mean[:, 0], found.rate[:, 0]], 1)
    labels = torch.zeros(0, dtype=torch.int64) if found.labels is None else found.labels
    return Frame(
        step,
        float(model.rate_weight() * model.kl_weight),
        dims,
        subject.decode(plane(subject.base, dims, side, up)),
        side.numpy(),
        (torch.zeros(0) if up is None else up).numpy(),
        points.float().numpy(),
        labels.numpy(),
        found.rate_dim.float().numpy(),
    )
