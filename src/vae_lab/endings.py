"""How a command ends: a mistake is one line, a signal an exit code, and what cannot be printed is no reason to fail."""

import atexit
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TextIO

from vae_lab.checks import Interrupted, RunFailed, one_line, printable

ENDING_SIGNALS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
if hasattr(signal, "SIGHUP"):
    ENDING_SIGNALS[signal.SIGHUP] = "terminated: the terminal was closed"

_asked: list[Interrupted] = []  # what a signal has asked for in this process


@contextmanager
def endings() -> Iterator[None]:
    """How every command ends: a mistake of the person is one line and exit code 1, a signal is 128 and its number.

    So is a disk that is full or cannot be written. ``HYDRA_FULL_ERROR=1`` shows the traceback of a mistake.
    """
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    with forgiving_output(), signals():
        try:
            with heeding():
                yield
        except (ValueError, RunFailed) as error:
            if full:
                raise
            sys.exit(f"error: {printable(str(error))}")
        except OSError as error:
            if full:
                raise
            sys.exit(f"error: {printable(one_line(error))}")
        except KeyboardInterrupt:
            leave(Interrupted())
        except Interrupted as interrupted:
            leave(interrupted)


def leave(interrupted: Interrupted) -> NoReturn:
    """Say that a signal ended the command, and exit as a shell expects it."""
    print(f"{ENDING_SIGNALS[interrupted.number]}; what had finished is kept", file=sys.stderr)
    sys.exit(128 + interrupted.number)


@contextmanager
def at_once() -> Iterator[None]:
    """Let a command that a signal has ended, and that is the whole of its process, leave without taking Python down.

    Freeing all that torch and Lightning have made takes more than a second of CPU, on a busy machine many. What is
    registered to run at the exit runs.
    """
    try:
        yield
    except SystemExit as ended:
        if not isinstance(ended.code, int) or ended.code - 128 not in ENDING_SIGNALS:
            raise
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code)


@contextmanager
def signals() -> Iterator[None]:
    """Turn the signals that ask a command to end into ``Interrupted``. One that is ignored, as by nohup, stays so."""
    previous = {}
    for number in ENDING_SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            previous[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
        _asked.clear()


def interrupt(number: int, frame: FrameType | None) -> None:
    """On the first signal unwind cleanly; the next one ends the process at once."""
    if _asked:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _asked.append(Interrupted("by Ctrl-C" if number == signal.SIGINT else f"by {signal.Signals(number).name}", number))
    raise _asked[0]


def heed() -> None:
    """Raise what a signal has asked for: where it came, some library may have swallowed it, as a bare ``except`` does.

    Raises:
        Interrupted: when a signal has come.
    """
    if _asked:
        raise _asked[0]


@contextmanager
def heeding() -> Iterator[None]:
    """Whatever a library has made of the exception of a signal that came in this block, it ends as ``Interrupted``."""
    try:
        yield
    except BaseException:
        heed()
        raise


class ForgivingStream:
    """A text stream that never breaks what writes to it: when its reader has left, or its disk is full, it goes mute.

    Everything else is the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, or go mute."""
        try:
            return self.stream.write(text)
        except OSError:
            self.mute()
        except UnicodeEncodeError:
            encoding = self.stream.encoding or "ascii"
            self.stream.write(text.encode(encoding, errors="replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Flush, or go mute."""
        try:
            self.stream.flush()
        except OSError:
            self.mute()

    def mute(self) -> None:
        """Send what is still to come, and what waits in the buffer, nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError):  # one that lies in memory
            os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)


@contextmanager
def forgiving_output() -> Iterator[None]:
    """Printing decides nothing: no reader that leaves, and no terminal without Greek, makes a run fail."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = ForgivingStream(out), ForgivingStream(err)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = out, err


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set these environment variables until the block ends."""
    outer = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in outer.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def how_it_ended(code: int) -> str:
    """How a process ended by its return code, in words.

    Example:
        >>> how_it_ended(-9), how_it_ended(1)
        ('was killed by SIGKILL', 'ended with exit code 1')
    """
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
