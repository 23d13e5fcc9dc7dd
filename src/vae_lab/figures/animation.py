"""Animated GIFs: a figure that changes from frame to frame, and its file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from vae_lab.figures.mosaic import Pictures
from vae_lab.figures.style import bare, blank, settle

GREYS, COLOURS, COMMON = 16, 40, 200  # of the palette
GREYISH, MUCH = 24, 0.1  # by how much red, green and blue differ in a grey; the part of coloured pixels
LOOKED_AT = 8  # frames, for their colours
SCREEN = 80  # dots per inch
LAST = 6  # frames for which the last one stands


def rendered(figure: Figure, dpi: int = SCREEN) -> Image.Image:
    """A figure as it is now, as an RGB image."""
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def write_gif(frames: Iterable[Image.Image], file: Path, milliseconds: int, stands: bool = False) -> None:
    """Write frames that are shown for so long each, again and again.

    Args:
        frames: equally large.
        file: its name.
        milliseconds: for each.
        stands: whether the last one stands still for a while before it all begins anew.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "two.gif"
        ...     write_gif([Image.new("RGB", (4, 4), colour) for colour in ("black", "white")], file, 100)
        ...     with Image.open(file) as gif:
        ...         print(gif.n_frames)
        2
    """
    pictures = list(frames)
    palette = palette_of(pictures)
    first, *rest = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    times = [milliseconds] * len(pictures)
    times[-1] *= LAST if stands else 1
    first.save(file, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)


def palette_of(pictures: list[Image.Image]) -> Image.Image:
    """One palette for all frames, so that nothing flickers, from some of them.

    It has the colours that lie farthest apart, those of lines and dots, and beside them plain greys or, where there is
    much colour to see, the colours that are seen most.
    """
    chosen = pictures[:: max(len(pictures) // LOOKED_AT, 1)]
    sheet = Image.new("RGB", (chosen[0].width, sum(picture.height for picture in chosen)))
    for i, picture in enumerate(chosen):
        sheet.paste(picture, (0, i * picture.height))
    coloured = float((np.ptp(np.asarray(sheet), axis=2) > GREYISH).mean()) > MUCH
    common = [round(255 * i / (GREYS - 1)) for i in range(GREYS) for _ in "rgb"]
    if coloured:
        common = (sheet.quantize(COMMON, method=Image.Quantize.MEDIANCUT).getpalette() or [])[: 3 * COMMON]
    far = (sheet.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE).getpalette() or [])[: 3 * COLOURS]
    palette = Image.new("P", (1, 1))
    palette.putpalette(common + far)
    return palette


def journey(ways: dict[str, Pictures], title: str, ends: tuple[Pictures, Pictures] | None = None) -> Iterator[Figure]:
    """A figure for each point of the ways, and the way back: their pictures side by side, between the two images.

    Args:
        ways: pictures (T, H, W, 3) by name, all equally many.
        title: what the pictures are.
        ends: the images (H, W, 3) at which the ways begin and end; a closed way has none.
    """
    steps = len(next(iter(ways.values())))
    shown = list(ways) if ends is None else ["from", *ways, "to"]
    height, width, _ = next(iter(ways.values())).shape[1:]
    figure = blank(1.5 * len(shown) + 0.2, 0.8 + 1.5 * height / width)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    images = {}
    for axes, name in zip(panels, shown, strict=True):
        fixed = {} if ends is None else {"from": ends[0], "to": ends[1]}
        images[name] = axes.imshow(fixed.get(name, ways.get(name, [None])[0]))
        bare(axes)
        axes.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=9)
    settle(figure)
    back = [] if ends is None else range(steps - 2, 0, -1)
    for step in [*range(steps), *back]:
        for name, pictures in ways.items():
            images[name].set_data(pictures[step])
        yield figure
