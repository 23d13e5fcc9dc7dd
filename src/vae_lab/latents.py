"""``python -m vae_lab.latents run=DIR|latest``: draw the latent space of a trained model."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_lab.checks import ArgumentError, choice, did_you_mean
from vae_lab.console import CommandLine, command, read_options
from vae_lab.runs.curves import read_curves
from vae_lab.runs.find import find_run
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.runs.result import Result

if TYPE_CHECKING:
    from vae_lab.gallery import Measured

USAGE = """python -m vae_lab.latents [run=DIR|latest] [only=NAME,NAME] [option=VALUE ...] [--allow MODULE]

Draws the latent space of a trained model into the figures/ of its run directory.
  run             a run directory, or latest, which is the default
  only            some of manifold, scatter, pca, traversals, interpolation, axes, loop, reconstructions, samples,
                  rates, film; all if you leave it out. The film needs a run with figures=on
  dims=[3,7]      the two latent dimensions of manifold and scatter; the most used if you leave it out
  grid=20         pictures along a side of the manifold
  mass=0.95       the part of the prior's probability that manifold and traversals span
  at=INDEX        the image whose latents the other dimensions keep; the prior's mean if you leave it out
  from=, to=      the images of the interpolations: INDEX, class:3, or random, which is the default
  through=5,class:3,random    the images of the closed path
  steps=11        pictures of an interpolation or traversal
  images=64       pictures of reconstructions and of samples
  split           test is the default; train, val
  seed=0          of what is random
  checkpoint      best, last or previous; the one that the run's figures come from if you leave it out
  --allow MODULE  a module of your own that the model's networks come from; repeat it for more"""

DEFAULTS = {
    "run": "latest",
    **dict.fromkeys(("only", "dims", "grid"), ""),
    "mass": "0.95",
    **{"at": "", "from": "random", "to": "random", "through": "", "steps": "", "images": ""},
    **{"split": "test", "seed": "0", "checkpoint": ""},
}
RATE_DIM = "val/rate_dim/"


def parsed(name: str, text: str) -> Any:
    """A number, or a tuple of them for ``dims``, as a person writes it: ``7``, ``0.9``, ``[3,7]``, ``3,7``.

    Raises:
        ArgumentError: when it is none.
    """
    parts = [part.strip() for part in text.strip("[]() ").split(",")] if name == "dims" else [text]
    try:
        numbers = [int(part) if part.lstrip("+-").isdecimal() else float(part) for part in parts]
    except ValueError:
        kind = "must be whole numbers, such as [3,7]" if name == "dims" else "must be a number"
        raise ArgumentError(name, text, kind) from None
    return tuple(numbers) if name == "dims" else numbers[0]


def settings_of(options: dict[str, str]) -> dict[str, Any]:
    """The options of a command line as the arguments of ``Settings``."""
    given: dict[str, Any] = {"start": options["from"], "stop": options["to"], "split": options["split"]}
    for name in ("dims", "grid", "mass", "at", "steps", "images", "seed"):
        if options[name]:
            given[name] = parsed(name, options[name])
    if options["through"]:
        given["through"] = tuple(options["through"].split(","))
    return given


def checkpoint_file(run: Path, name: str) -> Path:
    """The file of a checkpoint by name, or of the one that the run's figures come from.

    Raises:
        ArgumentError: when there is none.
    """
    from vae_lab.training.loading import checkpoint_of

    if not name:
        return checkpoint_of(run)
    file = run / CHECKPOINTS / f"{choice('checkpoint', name, ('best', 'last', 'previous'))}.ckpt"
    if not file.is_file():
        raise ArgumentError("checkpoint", name, f"{run} has no {file.name}")
    return file


def measured(run: Path) -> "Measured":
    """What a run has measured of each dimension."""
    from vae_lab.gallery import Measured

    result = Result.read(run)
    gap, gap_se = (result.figures_by_dimension(f"shuffle_gap_dim{end}") for end in ("", "_se"))
    curves = read_curves(run)
    dims = sorted(int(name.removeprefix(RATE_DIM)) for name in curves if name.startswith(RATE_DIM))
    lines = [curves[f"{RATE_DIM}{j:02d}"] for j in dims]
    rows = zip(*(curve.values for curve in lines), strict=True)
    return Measured(gap, gap_se, lines[0].steps if lines else [], [list(row) for row in rows])


def chosen(only: str) -> list[str]:
    """The figures behind ``only=``, or all.

    Raises:
        ArgumentError: for a name that is none.
    """
    from vae_lab.gallery import NAMES

    names = [name.strip() for name in only.split(",")] if only else list(NAMES)
    for name in names:
        if name not in NAMES:
            raise ArgumentError("only", name, f"must be some of {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    return names


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, DEFAULTS)
    try:
        from vae_lab.gallery import Settings, Subject, draw
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ValueError(f"{package} is not installed; pip install 'vae_lab[figures]'") from error
    from vae_lab.training.loading import load, read_checkpoint
    from vae_lab.training.trainer import set_threads

    names, settings = chosen(options["only"]), Settings(**settings_of(options))
    run = find_run(options["run"])
    file = checkpoint_file(run, options["checkpoint"])
    model, data = load(file, with_data=True)
    set_threads(read_checkpoint(file)["vae_lab"]["config"], data)
    folder = run / "figures"
    subject = Subject(model, data, settings, measured(run), folder / "frames", progress=True)
    began = time.perf_counter()
    files = []
    for drawn in draw(subject, folder, names):
        print(f"figure: {drawn}", flush=True)
        files.append(drawn)
    print(f"{len(files)} files in {time.perf_counter() - began:.1f} s")
    if "film" in names and not any(file.stem == "film" for file in files):
        print("no film: it needs a run with figures=on figures.every=50")
    print(f"next: {shlex.join(['python', '-m', 'vae_lab.diagnose', f'run={run}'])}")


if __name__ == "__main__":
    command(main, USAGE)
