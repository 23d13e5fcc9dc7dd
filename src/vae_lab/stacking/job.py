"""One run as a member of a stack: its directory, its record, its curves, and the callbacks that move its numbers."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from vae_lab.callbacks import Checkpoints, Diverged, Remedy
from vae_lab.callbacks.checkpoints import NEW
from vae_lab.models import VAE, Output
from vae_lab.runs.curves import CurveFile
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.runs.result import Result
from vae_lab.training.assembly import Parts
from vae_lab.training.loading import read_checkpoint, recipe_of
from vae_lab.training.record import now
from vae_lab.training.resume import Start, make_ready
from vae_lab.training.run import diverged, keep, make_room, reason_of, running

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run that is to be trained: its whole config as plain data, its directory, and what was set for it, by key."""

    config: Mapping[str, Any]
    directory: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)


class Job:
    """A run in a stack, from the step at which it stands to its last one, or to where it diverges.

    Args:
        run: what it is.
        start: where it stands.
        parts: what its config builds.
        share: the part of the stack's seconds that count as the run's own.
    """

    def __init__(self, run: Run, start: Start, parts: Parts, share: float) -> None:
        self.run, self.start, self.parts, self.share = run, start, parts, share
        self.began = time.perf_counter()
        self.ended = False  # diverged: nothing of it is written any more
        self.moved = False  # whether its coefficients have been filled at all
        recipe = recipe_of(run.config, parts.data.image_shape)
        self.checkpoints = Checkpoints(run.directory / CHECKPOINTS, parts.end, recipe, self.seconds)
        self.observers = [remedy for remedy in parts.remedies if type(remedy).observe is not Remedy.observe]
        self.record: Result = running(run.config, run.overrides)

    @property
    def model(self) -> VAE:
        """Its model."""
        return self.parts.model

    @property
    def keepers(self) -> list[Any]:
        """The callbacks that may have a state to keep."""
        return [*self.parts.remedies, self.parts.evaluation, self.checkpoints]

    def seconds(self) -> float:
        """The seconds that the run has taken so far: in a stack, its share of those of all."""
        return self.start.seconds + (time.perf_counter() - self.began) * self.share

    def begin(self) -> None:
        """Make the directory ready, and say there that the run is at it."""
        make_ready(self.run.directory, self.start)
        self.checkpoints.directory.mkdir(exist_ok=True)
        self.record.write(self.run.directory)
        self.curves = CurveFile(self.run.directory)

    def take_up(self) -> dict[str, Any] | None:
        """Load the checkpoint from which the run goes on, but for the optimizer; its content, None at first."""
        if self.start.checkpoint is None:
            return None
        content = read_checkpoint(self.start.checkpoint)
        self.model.load_state_dict(content["state_dict"])
        for keeper in self.keepers:
            if keeper.state_key in content["callbacks"]:
                keeper.load_state_dict(content["callbacks"][keeper.state_key])
        return content

    def move(self, step: int) -> None:
        """Fill the coefficients of a step, where they still change."""
        for remedy in self.parts.remedies:
            if step <= remedy.end or not self.moved:
                remedy.move(step, self.model)
        self.moved = True

    def observe(self, output: Output) -> None:
        """Show its callbacks what a step has measured."""
        for remedy in self.observers:
            remedy.observe(output.terms.rate, output.terms.distortion)

    def coefficients(self) -> dict[str, float]:
        """The coefficients by the names under which they are logged."""
        found = [remedy.coefficients(self.model) for remedy in self.parts.remedies]
        return {f"coef/{name}": value.item() for values in found for name, value in values.items()}

    def save(self, content: Mapping[str, Any], is_best: bool) -> None:
        """Write a checkpoint."""
        new = self.checkpoints.directory / NEW
        torch.save(dict(content), new)
        self.checkpoints.put_in_place(new, is_best)

    def diverge(self, step: int) -> None:
        """Record that the loss was no longer finite at a step."""
        self.ended = True
        self.close(diverged(self.record, Diverged(step), self.parts))

    def fail(self, error: BaseException) -> None:
        """Record what has ended the stack."""
        make_room(self.run.directory)
        self.close(replace(self.record, status="failed", reason=reason_of(error, self.run.directory)))

    def close(self, result: Result) -> None:
        """Write the record of a run that has ended here."""
        keep(replace(result, seconds=round(self.seconds(), 3), ended=now()), self.run.directory)


@contextmanager
def recorded(jobs: list[Job]) -> Iterator[None]:
    """What ends the stack is the reason why its runs have stopped.

    Raises:
        BaseException: whatever it was.
    """
    try:
        yield
    except BaseException as error:
        for job in jobs:
            if not job.ended:
                job.fail(error)
        raise
