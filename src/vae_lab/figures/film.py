"""The film of a training: the manifold, the posterior means and the rate of each dimension, step by step."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vae_lab.figures import manifold, scatter
from vae_lab.figures.frames import Frame
from vae_lab.figures.mosaic import gap_of, mosaic
from vae_lab.figures.style import BLUE, GREY, ORANGE, SMALL, blank, latent, settle

NOTHING, SOMETHING = 0.1, 0.5  # nats: what z says of an image is never more than the rate
LEAST_REACH, LEAST_RATE = 3.2, 0.5  # of the axes of the latent plane, and of the rate in nats
BEYOND = 99.5  # per cent of the means that the axes reach


class Stage:
    """The figure of a film. Axes, colours and dimensions stay from frame to frame, so that frames compare.

    Args:
        frames: at least one, in the order of their steps; only of those that are shown the pictures count.
        caption: what the pictures are.
    """

    def __init__(self, frames: Sequence[Frame], caption: str) -> None:
        self.frames, last = frames, frames[-1]
        self.figure = blank(9.2, 3.5)
        left, middle, right = self.figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
        self.image = manifold.show(left, last.pictures, last.across.tolist(), last.up.tolist())
        left.set_title(caption, fontsize=9)
        name_axes(left, last)
        self.dots = dots_of(middle, frames)
        self.lines = lines_of(right, frames)
        self.figure.suptitle("step", fontsize=11)
        settle(self.figure)
        self.steps, self.rates = [frame.step for frame in frames], np.stack([frame.rate_dim for frame in frames])

    def show(self, k: int) -> Figure:
        """The figure with frame ``k`` on it, and the curves up to there."""
        frame = self.frames[k]
        self.image.set_data(mosaic(frame.pictures, gap_of(frame.pictures)))
        self.dots.set_offsets(frame.points)
        for line, curve in zip(self.lines, [*self.rates.T, self.rates.sum(1)], strict=True):
            line.set_data(self.steps[: k + 1], curve[: k + 1])
        weight = f"KL weight {frame.kl_weight:.2f}    KL (rate) {frame.rate_dim.sum():.2f} nats"
        now, best = frame.rate_dim.sum(), self.rates[: k + 1].sum(1).max()
        fate = "    posterior collapse: z says nothing of the image" if now < NOTHING < SOMETHING < best else ""
        self.figure.suptitle(f"step {frame.step}    {weight}{fate}", fontsize=11)
        return self.figure


def film(frames: Sequence[Frame], caption: str = "decoded latents") -> Iterator[Figure]:
    """The same figure once for each frame, with that frame on it."""
    stage = Stage(frames, caption)
    return (stage.show(k) for k in range(len(frames)))


def draw(frames: Sequence[Frame], caption: str = "decoded latents") -> Figure:
    """The last of these frames, and the curves up to it."""
    return Stage(frames, caption).show(len(frames) - 1)


def name_axes(axes: Axes, frame: Frame) -> None:
    """Name the latent dimensions at the axes."""
    axes.set_xlabel(latent(frame.dims[0]), fontsize=9)
    if len(frame.dims) > 1:
        axes.set_ylabel(latent(frame.dims[1]), fontsize=9)


def dots_of(axes: Axes, frames: Sequence[Frame]) -> PathCollection:
    """The posterior means over the prior, on axes that have room for all frames."""
    first, labels = frames[0], frames[0].labels
    known = labels if len(labels) else None
    reach = max(LEAST_REACH, max(float(np.percentile(abs(frame.points), BEYOND)) for frame in frames))
    if len(first.dims) > 1:
        dots = scatter.show(axes, first.points, known, (np.zeros(2), np.eye(2)), named=False)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), box_aspect=1)
    else:
        dots = axes.scatter(
            first.points[:, 0], first.points[:, 1], s=8, c=scatter.colours_of(known, len(first.points)), linewidths=0
        )
        axes.set(xlim=(-reach, reach), ylim=(0, max(frame.points[:, 1].max() for frame in frames) * 1.05))
        axes.set_ylabel("KL (rate) of an image, nats", fontsize=9)
    name_axes(axes, first)
    axes.set_title("posterior means of images, by class" if known is not None else "posterior means", fontsize=9)
    axes.tick_params(labelsize=SMALL)
    return dots


def lines_of(axes: Axes, frames: Sequence[Frame]) -> list[Line2D]:
    """A line for the rate of each dimension, and one for their sum, on axes that have room for all frames."""
    dims, count = frames[0].dims, len(frames[0].rate_dim)
    colours = dict(zip(dims, (BLUE, ORANGE), strict=False))
    lines = [
        axes.plot([], [], color=colours.get(j, GREY), linewidth=1.6 if j in colours else 0.7,
                  label=latent(j) if j in colours else None)[0]
        for j in range(count)
    ]  # fmt: skip
    lines += axes.plot([], [], color="black", linewidth=1.2, linestyle=":", label="all" if count > 1 else None)
    top = max(LEAST_RATE, max(float(frame.rate_dim.sum()) for frame in frames))
    axes.set(xlim=(frames[0].step, max(frames[-1].step, frames[0].step + 1)), ylim=(0, 1.05 * top))
    axes.set_xlabel("optimizer step", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_title("KL (rate), nats per image", fontsize=9)
    axes.tick_params(labelsize=SMALL)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper right")
    return lines
