"""The run or sweep directory that a person names, or the newest one."""

from collections.abc import Iterator
from pathlib import Path

from vae_lab.checks import ArgumentError
from vae_lab.runs.names import AGAIN, RESULT, SWEEP
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result

LATEST = "latest"
ROOTS = ("multirun", "outputs")  # where Hydra puts sweeps and single runs, below the working directory


def newest(name: str) -> Iterator[Path]:
    """The directories below ``ROOTS`` that hold a file ``name``, the one that was written last first.

    Runs that a probe or a cure has made of another run are not among them.
    """
    paths = [path for root in ROOTS for path in Path(root).rglob(name) if not is_again(path.parent)]
    yield from (path.parent for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True))


def is_again(run: Path) -> bool:
    """Whether a run lies within another, which a probe or a cure trains again: nobody means it by ``latest``."""
    return any(folder.name in AGAIN and (folder.parent / RESULT).is_file() for folder in run.parents)


def latest_run() -> Path:
    """The newest finished run.

    Raises:
        ValueError: when there is none.
    """
    unreadable = ""
    for directory in newest(RESULT):
        try:
            if Result.read(directory).status == "finished":
                return directory
        except RecordError as error:
            unreadable = unreadable or f" ({directory}: {error})"
    places = " or ".join(f"{root}/" for root in ROOTS)
    message = f"run={LATEST}: no finished run in {places} below {Path.cwd()}"
    raise ValueError(f"{message}{unreadable}; make one: python -m vae_lab")


def find_run(run: str) -> Path:
    """The run directory that a person names: a path, or ``latest`` for the newest finished run.

    Raises:
        ValueError: when there is none, or its result cannot be read.
    """
    if run == LATEST:
        return latest_run()
    directory = Path(run).expanduser()
    if not directory.is_dir():
        raise ArgumentError("run", run, "no such directory; must be a run directory or latest")
    if not (directory / RESULT).is_file():
        inside = next(directory.glob(f"*/{RESULT}"), None)
        hint = f"; it is a sweep, name one of its runs, such as {inside.parent}" if inside else ""
        raise ArgumentError("run", run, f"holds no {RESULT}, so it is no run directory{hint}")
    try:
        Result.read(directory)
    except RecordError as error:
        raise ArgumentError("run", run, str(error)) from error
    return directory


def find_sweep(sweep: str) -> Path:
    """The sweep directory that a person names: a path, also that of a single run, or ``latest`` for the newest sweep.

    Raises:
        ValueError: when there is none.
    """
    found = next(newest(SWEEP), None) if sweep == LATEST else Path(sweep).expanduser()
    if found is None or (not any(found.glob(f"*/{RESULT}")) and not (found / RESULT).is_file()):
        raise ArgumentError("sweep", sweep, "holds no runs; make one: python -m vae_lab +experiment=collapse_sweep -m")
    return found


def find_sweeps(sweeps: str) -> list[Path]:
    """The sweep directories that a person names, with commas between them.

    Raises:
        ValueError: when one of them is none.
    """
    return [find_sweep(sweeps)] if Path(sweeps).is_dir() else [find_sweep(name) for name in sweeps.split(",")]
