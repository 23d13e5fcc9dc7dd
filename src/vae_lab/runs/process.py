"""Which process writes a run, so that a reader can tell whether it still does."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")  # of Linux; where there is none, a number that is in use counts as alive
START_TIME = 19  # the field behind the command's name in /proc/PID/stat that counts ticks since boot


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process on a host. ``began`` tells it from a later one of the same number; empty where that is unknown.

    Example:
        >>> Process.this().gone
        False
    """

    pid: int
    began: str
    host: str

    @classmethod
    def this(cls) -> "Process":
        """The process that asks."""
        return cls(pid=os.getpid(), began=began(os.getpid()), host=socket.gethostname())

    @property
    def gone(self) -> bool:
        """Whether it has surely ended. From another host that cannot be told, so it is False there."""
        if self.host != socket.gethostname():
            return False
        return not exists(self.pid) or began(self.pid) != self.began


def began(pid: int) -> str:
    """When a process began: the boot and the ticks since then; empty where the system does not tell."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        _, _, fields = (PROC / str(pid) / "stat").read_text().rpartition(") ")
        return f"{boot}/{fields.split()[START_TIME]}"
    except (OSError, IndexError):
        return ""


def exists(pid: int) -> bool:
    """Whether a process has this number. A zombie, which only waits to be collected, has ended."""
    try:
        if os.name == "posix":  # elsewhere signal 0 ends the process
            os.kill(pid, 0)
        return not is_zombie(pid)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


def is_zombie(pid: int) -> bool:
    """Whether it has ended and only its parent has not noticed."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return False
