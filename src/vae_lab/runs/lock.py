"""One process at a time writes a directory. The system itself drops the lock of a process that has ended, however."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from vae_lab.checks import ConfigError
from vae_lab.runs.names import LOCK
from vae_lab.runs.process import Process

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nothing is refused
    fcntl = None  # type: ignore[assignment]


class InUse(ConfigError):
    """A directory that another process writes."""


@contextmanager
def holding(directory: Path) -> Iterator[None]:
    """Hold a directory until the block ends, or the process does. A file system without locks refuses nothing.

    Raises:
        InUse: when another process holds it, and which.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, holding(Path(folder)):
        ...     in_use(Path(folder))
        True
    """
    file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        if not taken(file):
            raise InUse(f"{directory}: is being written by {owner(directory)}")
        os.truncate(file, 0)
        os.write(file, msgspec.json.encode(Process.this()))
        yield
    finally:
        os.close(file)


def taken(file: int) -> bool:
    """Take the lock of an open file; False where another one has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def in_use(directory: Path) -> bool:
    """Whether some process holds a directory."""
    try:
        file = os.open(directory / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not taken(file)
    finally:
        os.close(file)


def owner(directory: Path) -> str:
    """The process that holds a directory, in words."""
    try:
        process = msgspec.json.decode((directory / LOCK).read_bytes(), type=Process)
    except (OSError, msgspec.DecodeError):
        return "another process"
    return f"process {process.pid} on {process.host}"
