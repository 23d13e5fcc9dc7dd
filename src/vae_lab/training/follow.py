"""A rank's part of a run on several devices: the same training and the same evaluation, nothing written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vae_lab.training.assembly import assemble
from vae_lab.training.fitting import Session, fit_and_test, prepare
from vae_lab.training.ranks import group


def follow(
    config: Mapping[str, Any], session: Session, meeting: Path, rank: int, ranks: int, ready: Callable[[], None]
) -> None:
    """Take part in a run from its first step to its last figure.

    Args:
        config: of the run.
        session: where the run writes, and where it began.
        meeting: the file at which its processes meet.
        rank: the number of this process.
        ranks: how many there are.
        ready: called once everything is built, and only the others are missing.

    Raises:
        Exception: whatever breaks; rank 0 says so.
    """
    prepare()
    parts = assemble(config)
    ready()
    with group(config, meeting, rank, ranks):
        fit_and_test(config, session, parts, rank=rank)
