"""The processes of a run on several devices: one for each, its rank; rank 0 is the run's own process and starts them.

So a run on several devices is one like any other: by itself, in a sweep, and in whatever process a launcher runs it.
The others write nothing but ``rank-N.log``, where there is anything to say. They end when their standard input is
closed, so none outlives the run.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist

from vae_lab.config.build import added_modules
from vae_lab.endings import environment, how_it_ended

COMMAND = (sys.executable, "-m", "vae_lab.rank")
READY = "ready"  # what a rank says once it has built its part of the run
POLL = 1.0  # seconds from one look at the other ranks to the next
GRACE = 5.0  # seconds that a rank has to end, or to be found dead
PATIENCE = timedelta(days=1)  # a rank that is alive is waited for: it may measure what is dear
LOOPBACK = "GLOO_SOCKET_IFNAME"  # the network interface over which ranks talk


class RankLost(RuntimeError):
    """A process of a run on several devices ended before the run did."""


class Rank:
    """A further process of a run.

    Args:
        order: what it needs to know.
        log: the file for whatever it says.
    """

    def __init__(self, order: Mapping[str, Any], log: Path) -> None:
        self.number, self.log = order["rank"], log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, start_new_session=True
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()

    def wait_until_ready(self) -> None:
        """Wait until it has built its part of the run.

        Raises:
            RankLost: when it ended instead.
        """
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != READY.encode():
            self.process.wait()
            raise RankLost(self.last_words())

    def is_lost(self, seconds: float = 0.0) -> bool:
        """Whether it has ended, or does within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is not None

    def last_words(self) -> str:
        """How it ended, and what it said last, in one line."""
        ended = how_it_ended(self.process.returncode)
        said = self.log.read_text(errors="replace").strip().splitlines()
        return f"rank {self.number} {ended}{': ' + said[-1] if said else ''}; see {self.log.name}"

    def end(self) -> None:
        """End it: by closing its input, and by force where that takes too long. It has nothing to lose."""
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        if not self.is_lost(GRACE):
            self.process.kill()
        self.process.wait()
        if not self.log.stat().st_size:
            self.log.unlink()


@contextmanager
def company(config: Mapping[str, Any], directory: Path, ranks: int, **about: Any) -> Iterator[None]:
    """Start the other ranks of a run: within the block they are one group with this process, after it they are gone.

    A run on one device has none.

    Raises:
        RankLost: when one of them ended before the block did.
    """
    if ranks == 1:
        yield
        return
    with TemporaryDirectory() as folder:
        meeting = Path(folder) / "ranks"
        shared = {"config": config, "directory": str(directory), "meeting": str(meeting), "allow": added_modules()}
        others: list[Rank] = []
        try:
            for rank in range(1, ranks):
                order = {**shared, **about, "rank": rank, "ranks": ranks}
                others.append(Rank(order, directory / f"rank-{rank}.log"))
            for other in others:
                other.wait_until_ready()
            with watching(others) if on_gpus(config) else nullcontext(), group(config, meeting, 0, ranks):
                yield
        except BaseException as error:
            if is_of_a_collective(error) and (lost := [other for other in others if other.is_lost(GRACE)]):
                raise RankLost(lost[0].last_words()) from error
            for other in others:
                other.process.kill()
            raise
        finally:
            for other in others:
                other.end()


@contextmanager
def watching(others: Sequence[Rank]) -> Iterator[None]:
    """Watch the other ranks until the block ends."""
    done = threading.Event()
    threading.Thread(target=end_when_lost, args=(others, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()


def end_when_lost(others: Sequence[Rank], done: threading.Event) -> None:
    """End this process when a rank has died and the run goes on all the same: on GPUs it would wait for it for ever."""
    while not done.wait(POLL):
        lost = [other for other in others if other.is_lost()]
        if lost and not done.wait(GRACE):
            print(f"error: {lost[0].last_words()}", file=sys.stderr, flush=True)
            os._exit(1)


def is_of_a_collective(error: BaseException) -> bool:
    """Whether an error says that another rank did not answer."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def on_gpus(config: Mapping[str, Any]) -> bool:
    """Whether a run trains on GPUs of NVIDIA, or those that pass for them."""
    return config["trainer"].get("accelerator", "auto") != "cpu" and torch.cuda.is_available()


@contextmanager
def group(config: Mapping[str, Any], meeting: Path, rank: int, ranks: int) -> Iterator[None]:
    """Make this process a rank until the block ends. Ranks meet at a file and talk over the machine's own loopback."""
    if on_gpus(config):
        torch.cuda.set_device(rank)
    backend = "cpu:gloo,cuda:nccl" if on_gpus(config) else "gloo"
    with environment({LOOPBACK: os.environ.get(LOOPBACK) or loopback()}):
        dist.init_process_group(backend, meeting.as_uri(), PATIENCE, world_size=ranks, rank=rank)
    try:
        yield
        dist.barrier()  # none leaves while another still asks it for something
    finally:
        dist.destroy_process_group()


def loopback() -> str:
    """The name of the network interface that reaches no other machine."""
    return next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
