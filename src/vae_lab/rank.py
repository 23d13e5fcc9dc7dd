"""``python -m vae_lab.rank``: a further process of a run on several devices. The run starts it, not people.

It reads what to do as a line of JSON, says when it is ready, and ends when its input is closed: with the run.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from vae_lab.callbacks import Diverged
from vae_lab.config.build import allowing
from vae_lab.training.fitting import Session
from vae_lab.training.follow import follow
from vae_lab.training.ranks import READY
from vae_lab.training.resume import Start


def end_with_the_run() -> None:
    """End this process as soon as nobody holds its input any more, whatever it is at."""
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        pipe.read()
    os._exit(0)


def main() -> None:
    """The command."""
    with open(0, "rb", buffering=0, closefd=False) as pipe:  # what it does not read is the thread's
        order = json.loads(pipe.readline())
    watch = threading.Thread(target=end_with_the_run, daemon=True)
    watch.start()
    for number in (signal.SIGINT, signal.SIGTERM):  # rank 0 answers them, and ends this one
        signal.signal(number, signal.SIG_IGN)
    answer, sys.stdout = sys.stdout, sys.stderr
    start = Start(order["checkpoint"] and Path(order["checkpoint"]))
    session, meeting = Session(Path(order["directory"]), start, float), Path(order["meeting"])
    with allowing(order["allow"]):
        try:
            follow(
                order["config"],
                session,
                meeting,
                order["rank"],
                order["ranks"],
                ready=lambda: print(READY, file=answer, flush=True),
            )
        except Diverged as diverged:  # rank 0 finds the same
            print(diverged)
    watch.join()


if __name__ == "__main__":
    main()
