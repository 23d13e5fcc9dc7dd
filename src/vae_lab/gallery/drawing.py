"""Which figures there are, and their files."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from vae_lab.figures import line, manifold, pairs, rates, scatter, strips
from vae_lab.figures import traversals as traversal_figure
from vae_lab.figures.animation import journey, rendered, write_gif
from vae_lab.figures.film import film
from vae_lab.figures.frames import frames
from vae_lab.figures.mosaic import Pictures
from vae_lab.figures.style import latent
from vae_lab.figures.traversals import Row
from vae_lab.gallery.subject import PLANE, Subject, columns
from vae_lab.latent_space import (
    aggregate_sample,
    axis_by_axis,
    closed_path,
    lerp,
    plane,
    principal_plane,
    prior_covariance,
    slerp,
    traversals,
)

MARGIN = 0.08  # inches around a figure
GRID, FEW_GRID = 15, 5  # pictures along a side of the manifold, and of one whose pixels are drawn
COLUMNS, FEW_COLUMNS = 11, 5  # of a traversal
ROWS, FEW_ROWS = 32, 6  # of the traversals
STEPS, FEW_STEPS = 11, 5  # of an interpolation
AXES = 8  # dimensions that change one after the other
CORNERS, ROUND = 5, 8  # images of the closed path, and pictures from each to the next
IMAGES, FEW_IMAGES = 64, 9  # of reconstructions and samples
ELLIPSES = 40  # posteriors in a scatter
FRAME, FILM_FRAME = 90, 140  # milliseconds
MOST_FRAMES = 60  # of a film

Files = Iterator[tuple[str, Figure | Callable[[Path], None]]]  # a name, and a figure or what writes the file


def draw(subject: Subject, folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Draw the figures with these ``NAMES`` into a folder, one file after the other; gives each as it is written.

    Raises:
        ValueError: when an option does not fit.
        OSError: when a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for file, content in NAMES[name](subject):
            if isinstance(content, Figure):
                content.savefig(folder / file, bbox_inches="tight", pad_inches=MARGIN)
            else:
                content(folder / file)
            yield folder / file


def draw_manifold(subject: Subject) -> Files:
    """The decoded plane of the two most used dimensions."""
    side = subject.values(subject.count(subject.settings.grid, GRID, FEW_GRID))
    up = side if len(subject.dims) == PLANE else None
    pictures = subject.decode(plane(subject.base, subject.dims, side, up))
    title = ", ".join(filter(None, [f"Manifold: {subject.caption}", subject.around]))
    shown = pictures, side.tolist(), [] if up is None else up.tolist(), axis_names(subject)
    yield "manifold.png", manifold.draw(*shown, title)


def axis_names(subject: Subject) -> list[str]:
    """The shown dimensions with their rates."""
    return [latent(dim, float(subject.posteriors.rate_dim[dim])) for dim in subject.dims]


def draw_scatter(subject: Subject) -> Files:
    """The posterior means in the plane of the two most used dimensions."""
    found, dims = subject.posteriors, subject.dims
    title = f"Posterior means of {len(found.mean)} images ({subject.settings.split})"
    if len(dims) < PLANE:
        yield "scatter.png", line.draw(found.mean[:, 0], found.rate.sum(1), found.labels, axis_names(subject)[0], title)
        return
    chosen = with_ellipses(len(found.mean))
    covariances = torch.diag_embed(found.stddev[chosen][:, dims].square())
    prior = np.zeros(2), prior_covariance(subject.model.prior, subject.model.latent_dim)[dims][:, dims]
    names = axis_names(subject)
    drawn = found.mean[:, dims], found.labels, (chosen, covariances), prior, (names[0], names[1])
    yield "scatter.png", scatter.draw(*drawn, f"{title}, some with one σ; dashed: the prior")


def with_ellipses(count: int) -> torch.Tensor:
    """The posteriors, of so many, that a scatter draws with their one-σ ellipse."""
    return torch.arange(count)[:: max(count // ELLIPSES, 1)][:ELLIPSES]


def draw_pca(subject: Subject) -> Files:
    """The posterior means in their principal plane, where there are more than two dimensions."""
    if subject.model.latent_dim <= PLANE:
        return
    found = subject.posteriors
    view = principal_plane(found.mean.float())
    chosen = with_ellipses(len(found.mean))
    covariances = view.covariance(torch.diag_embed(found.stddev[chosen].float().square()))
    whole = prior_covariance(subject.model.prior, subject.model.latent_dim)
    prior = view.points(torch.zeros_like(view.centre)), view.covariance(whole)
    names = [f"principal axis {i + 1}  ({share:.0%} of the means' variance)" for i, share in enumerate(view.shares)]
    title = (
        f"Posterior means of {len(found.mean)} images ({subject.settings.split}), principal plane; dashed: the prior"
    )
    drawn = view.points(found.mean.float()), found.labels, (chosen, covariances), prior, (names[0], names[1])
    yield "pca.png", scatter.draw(*drawn, title)


def draw_traversals(subject: Subject) -> Files:
    """A row for each dimension, the most used first."""
    found, measured = subject.posteriors, subject.measured
    order = found.by_use[: subject.count(None, ROWS, FEW_ROWS)]
    values = subject.values(subject.count(subject.settings.steps, COLUMNS, FEW_COLUMNS))
    pictures = subject.decode(traversals(subject.base, order, values))
    gaps: list[float] | list[None] = measured.gap or [None] * len(found.rate_dim)
    rows = [Row(j, float(found.rate_dim[j]), gaps[j], measured.used(j), subject.best_factor(j)) for j in order]
    total = len(found.rate_dim)
    shown = f"the {len(order)} most used of {total}" if len(order) < total else subject.around
    title = ", ".join(filter(None, [f"Traversals: {subject.caption}", shown]))
    yield "traversals.png", traversal_figure.draw(pictures, values.tolist(), rows, title)


def draw_interpolation(subject: Subject) -> Files:
    """Two ways from one image to another, as a strip and as an animation."""
    chosen, (start, stop) = subject.ends, subject.encode(subject.ends)
    steps = subject.count(subject.settings.steps, STEPS, FEW_STEPS)
    ways = {"lerp": subject.decode(lerp(start, stop, steps)), "slerp": subject.decode(slerp(start, stop, steps))}
    inputs = subject.inputs(chosen)
    title = f"From image {chosen[0]} to image {chosen[1]}: {subject.caption}"
    yield "interpolation.png", strips.draw(ways, title, (inputs[0], inputs[1]))
    yield "interpolation.gif", animated(ways, title, (inputs[0], inputs[1]))


def animated(
    ways: dict[str, Pictures], title: str, between: tuple[Pictures, Pictures] | None = None
) -> Callable[[Path], None]:
    """What writes the animation of these ways."""

    def write(file: Path) -> None:
        write_gif(map(rendered, journey(ways, title, between)), file, FRAME)

    return write


def draw_axes(subject: Subject) -> Files:
    """The way along one axis after the other: a strip for each dimension, the most used first."""
    chosen, (start, stop) = subject.ends, subject.encode(subject.ends)
    order = subject.posteriors.by_use[: subject.count(None, AXES, 3)]
    steps = subject.count(subject.settings.steps, STEPS, FEW_STEPS) - 1
    rest = [j for j in range(len(start)) if j not in order]
    stop[rest] = start[rest]  # the others stay: what is shown is what these do
    way = axis_by_axis(start, stop, steps, order)
    pictures = subject.decode(way)
    rows = {
        f"{latent(j)}: {start[j]:.2f} to {stop[j]:.2f}": pictures[i * steps : (i + 1) * steps + 1]
        for i, j in enumerate(order)
    }
    inputs = subject.inputs(chosen)
    title = f"From image {chosen[0]} to image {chosen[1]}, one axis after the other: {subject.caption}"
    yield "axes.png", strips.draw(rows, title, (inputs[0], inputs[1]))
    yield "axes.gif", animated({"one axis after the other": pictures}, subject.caption, (inputs[0], inputs[1]))


def draw_loop(subject: Subject) -> Files:
    """A smooth closed path through several images, as an animation."""
    chosen = subject.through or subject.some(subject.count(None, CORNERS, 3), "through")
    steps = subject.count(subject.settings.steps, ROUND, 2)
    pictures = subject.decode(closed_path(subject.encode(chosen), steps))
    yield "loop.gif", animated({f"through {len(chosen)} images": pictures}, subject.caption)


def draw_reconstructions(subject: Subject) -> Files:
    """Images beside their reconstructions."""
    chosen = subject.some(subject.count(subject.settings.images, IMAGES, FEW_IMAGES), "reconstructions")
    width = columns(len(chosen))
    pairs_ = {"inputs": subject.inputs(chosen), "reconstructions": subject.decode(subject.encode(chosen))}
    title = f"Reconstructions from posterior means: {subject.caption}"
    yield "reconstructions.png", pairs.draw({name: grid_of(found, width) for name, found in pairs_.items()}, title)


def grid_of(pictures: Pictures, width: int) -> Pictures:
    """Pictures (N, ...) in rows of ``width``, the last one filled up with white."""
    missing = -len(pictures) % width
    filled = np.concatenate([pictures, np.full((missing, *pictures.shape[1:]), 255, np.uint8)])
    return filled.reshape(-1, width, *pictures.shape[1:])


def draw_samples(subject: Subject) -> Files:
    """Samples of the prior beside samples of the aggregate posterior."""
    model, seed = subject.model, subject.settings.seed
    count = subject.count(subject.settings.images, IMAGES, FEW_IMAGES)
    with torch.no_grad():
        drawn = subject.pictures(model.sample(count, seed, subject.progress))
    samples = {
        "z from the learnt prior" if model.sampling_prior else "z from the prior": drawn,
        "z from the posteriors of random images": subject.decode(aggregate_sample(subject.posteriors, count, seed)),
    }
    grids = {name: grid_of(pictures, columns(count)) for name, pictures in samples.items()}
    yield "samples.png", pairs.draw(grids, f"Samples: {subject.caption}")


def draw_rates(subject: Subject) -> Files:
    """The rate of each dimension over training."""
    recorded = frames(subject.frames) if subject.frames else []
    measured = subject.measured
    if len(recorded) > len(measured.steps):
        yield "rates.png", rates.draw([f.step for f in recorded], [f.rate_dim for f in recorded])
    elif measured.steps:
        yield "rates.png", rates.draw(measured.steps, measured.rates)


def draw_film(subject: Subject) -> Files:
    """The film of the training, where frames were recorded."""
    recorded = frames(subject.frames) if subject.frames else []
    if not recorded:
        return
    chosen = np.unique(np.linspace(0, len(recorded) - 1, min(len(recorded), MOST_FRAMES)).round().astype(int))
    shown = [recorded[i] for i in chosen]
    yield "film.gif", lambda file: write_gif(map(rendered, film(shown, subject.caption)), file, FILM_FRAME, stands=True)


NAMES: dict[str, Callable[[Subject], Files]] = {
    "manifold": draw_manifold,
    "scatter": draw_scatter,
    "pca": draw_pca,
    "traversals": draw_traversals,
    "interpolation": draw_interpolation,
    "axes": draw_axes,
    "loop": draw_loop,
    "reconstructions": draw_reconstructions,
    "samples": draw_samples,
    "rates": draw_rates,
    "film": draw_film,
}
