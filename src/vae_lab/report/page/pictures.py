"""The main figures of a sweep as files, for a paper or a place that shows no pages."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vae_lab.checks import one_line
from vae_lab.report.page.keys import keys_of
from vae_lab.report.page.titles import NATS
from vae_lab.runs.run import Run, text
from vae_lab.runs.sweep import SEED, Sweep

MISSING = "no pictures: matplotlib is not installed; pip install 'vae_lab[figures]'"
CURVES, PLANE = "kl_curves.png", "rate_distortion.png"


def write_pictures(sweep: Sweep, folder: Path) -> str:
    """Write the curves of the KL and the rate-distortion plane into a folder; returns why there are none, if so."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of signs that the font does not have
            for name, figure in figures(sweep.runs, sweep.keys):
                figure.savefig(folder / name)
    except ModuleNotFoundError:
        return MISSING
    except OSError as error:
        return f"pictures not written: {one_line(error)}"
    return ""


def figures(runs: Sequence[Run], names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The figures by file name; those that have nothing to show are left out."""
    from vae_lab.figures import sweep_curves, sweep_plane
    from vae_lab.figures.sweep_style import looks

    swept = [key for key in keys_of(runs, names) if key.key != SEED and len(key.values) > 1]
    key, title, values = (swept[0].key, swept[0].title, swept[0].values) if swept else ("", "", ["-"])
    numeric = bool(swept) and None not in swept[0].numbers
    found = looks(values, numeric)
    curves = [
        (text(run.overrides, key), *run.curves["val/rate"])
        for run in runs
        if not run.problem and "val/rate" in run.curves
    ]
    if curves:
        yield CURVES, sweep_curves.draw(curves, title, found, f"KL (rate), {NATS}")
    places = [(run, run.figure("rate"), run.figure("distortion")) for run in runs if run.finished]
    points = [
        (text(run.overrides, key), rate, distortion, run.collapsed)
        for run, rate, distortion in places
        if rate is not None and distortion is not None
    ]
    if points:
        yield PLANE, sweep_plane.draw(points, title, found)
