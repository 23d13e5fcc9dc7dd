"""The run directory's contract: where things lie in it, and ``result.json``, which is never seen half written."""

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vae_lab.checks import ArgumentError

RESULT, SWEEP, CURVES, CHECKPOINTS = "result.json", "sweep.json", "metrics.csv", "checkpoints"
ROOTS = ("multirun", "outputs")  # where Hydra puts sweeps and single runs, below the working directory


def jsonable(value: Any) -> Any:
    """The same data with every number that JSON cannot hold (NaN, infinities) as None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that readers see either whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(jsonable(content), indent=1) + "\n")
    os.replace(temporary, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The file's content, or None where there is no such file or it is no JSON object."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def read_curves(directory: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of each curve in the run directory's ``metrics.csv``; none where there is no such file."""
    curves: dict[str, tuple[list[int], list[float]]] = {}
    if not (directory / CURVES).is_file():
        return curves
    with (directory / CURVES).open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name != "step":
                    steps, values = curves.setdefault(name, ([], []))
                    steps.append(int(row["step"]))
                    values.append(float(value))
    return curves


def runs_of(sweep: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The run directories of a sweep with their results, in the order in which they were started."""
    found = ((path.parent, read_json(path)) for path in sweep.glob(f"*/{RESULT}"))
    whole = [(directory, result) for directory, result in found if result is not None]
    yield from sorted(whole, key=lambda pair: (str(pair[1].get("started")), pair[0].name))


def latest(name: str, accept: Any = lambda content: True) -> Path | None:
    """The directory with the newest file ``name`` below ``ROOTS`` whose content is accepted, or None."""
    paths = [path for root in ROOTS for path in Path(root).rglob(name)]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        if (content := read_json(path)) is not None and accept(content):
            return path.parent
    return None


def find_run(run: str) -> Path:
    """The run directory that a person names: a path, or ``latest`` for the newest finished run.

    Raises:
        ValueError: when there is none.
    """
    if run == "latest":
        found = latest(RESULT, lambda result: result.get("status") == "finished")
        if found is None:
            places = " or ".join(f"{root}/" for root in ROOTS)
            raise ValueError(f"run=latest: no finished run in {places} below {Path.cwd()}; make one: python -m vae_lab")
        return found
    directory = Path(run).expanduser()
    if not directory.is_dir():
        raise ArgumentError("run", run, "no such directory; must be a run directory or latest")
    if not (directory / RESULT).is_file():
        inside = next(directory.glob(f"*/{RESULT}"), None)
        hint = f"; it is a sweep, name one of its runs, such as {inside.parent}" if inside else ""
        raise ArgumentError("run", run, f"holds no {RESULT}, so it is no run directory{hint}")
    return directory
