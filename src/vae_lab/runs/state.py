"""What a run directory holds, in the one word that decides whether a job still has to run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from vae_lab.checks import ConfigError
from vae_lab.runs.lock import in_use
from vae_lab.runs.names import RESULT
from vae_lab.runs.result import Result

State = Literal["open", "busy", "ended"]

ENDED = ("finished", "diverged")  # a run that failed or was stopped goes on
MIRRORS = ("wandb", "tensorboard")  # folders of services, which make links of their own within them


def state_of(run: Path) -> State:
    """``ended``: it has its figures, or diverged; ``busy``: a process is at it; ``open``: it is to be run, or to go on.

    Raises:
        RecordError: when its record cannot be read: it may be the figures of another vae_lab.

    Example:
        >>> state_of(Path("no such directory"))
        'open'
    """
    if in_use(run):
        return "busy"
    if not (run / RESULT).exists():
        return "open"
    return "ended" if Result.read(run).status in ENDED else "open"


def check_plain(run: Path) -> None:
    """Refuse a run directory that holds links: what is written there would land elsewhere.

    Raises:
        ConfigError: naming the link.
    """
    for path in contents(run):
        refuse_link(path)


def refuse_link(path: Path) -> None:
    """Refuse a path that is a link.

    Raises:
        ConfigError: naming it.
    """
    if path.is_symlink():
        raise ConfigError(f"{path}: is a link, which no run makes; nothing is written through it")


def contents(folder: Path) -> Iterator[Path]:
    """All that lies in a folder, and the folders in it but ``MIRRORS``."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield path
        if path.is_dir() and not path.is_symlink() and path.name not in MIRRORS:
            yield from contents(path)
