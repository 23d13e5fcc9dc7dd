"""Images of the test split beside their reconstructions by several runs on the same data.

python benchmarks/side_by_side.py FILE.png NAME:RUN [NAME:RUN ...] [--images 24]
"""

import argparse
from pathlib import Path

from vae_lab.figures import pairs
from vae_lab.gallery import Settings, Subject
from vae_lab.gallery.drawing import grid_of
from vae_lab.training.loading import load


def subject_of(run: str, images: int) -> Subject:
    """A run's model and data."""
    model, data = load(run, with_data=True)
    return Subject(model, data, Settings(images=images))


def main(arguments: list[str] | None = None) -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME:RUN")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--columns", type=int, default=4)
    given = parser.parse_args(arguments)
    grids = {}
    for entry in given.runs:
        name, _, run = entry.partition(":")
        subject = subject_of(run, given.images)
        chosen = subject.some(given.images, "reconstructions")
        grids.setdefault("images", grid_of(subject.inputs(chosen), given.columns))
        grids[name] = grid_of(subject.decode(subject.encode(chosen)), given.columns)
    pairs.draw(grids, "Images of the test split, and their mean images").savefig(given.file, bbox_inches="tight")
    print(f"figure: {given.file.absolute()}")


if __name__ == "__main__":
    main()
