"""The validation of a stack: one pass for all jobs, and each job's own metrics over its rows."""

from collections.abc import Sequence

import torch

from vae_lab.callbacks.evaluation import flat
from vae_lab.data import Batch
from vae_lab.endings import heed
from vae_lab.stacking.feed import Feed
from vae_lab.stacking.job import Job
from vae_lab.stacking.model import StackedModel, row_of

SPLIT = "val"
MAX_VALUES = 8_000_000  # pixels decoded at a time: the bound of memory


@torch.no_grad()
def validate(stack: StackedModel, feed: Feed, jobs: Sequence[Job]) -> list[dict[str, float]]:
    """The figures of the validation split of each job by name; none of one that has ended."""
    stack.train(False)
    live = [k for k, job in enumerate(jobs) if not job.ended]
    for k in live:
        jobs[k].parts.evaluation.start(SPLIT, jobs[k].model)
    for number, batch in enumerate(feed.data[0].eval_stream(SPLIT)):
        heed()
        update(stack, feed, jobs, live, moved(batch, feed), number)
    found = [{} if job.ended else job.parts.evaluation.compute(SPLIT) for job in jobs]
    stack.train()
    return [{f"{SPLIT}/{name}": value.item() for name, value in flat(figures)} for figures in found]


def update(
    stack: StackedModel, feed: Feed, jobs: Sequence[Job], live: Sequence[int], batch: Batch, number: int
) -> None:
    """Show a batch to all models, some at a time, and what comes out to their metrics."""
    noise = feed.evaluation_noise(batch.indices.cpu(), SPLIT)
    size = max(MAX_VALUES // batch.x.numel(), 1)
    for start in range(0, len(jobs), size):
        rows = slice(start, min(start + size, len(jobs)))
        output = stack(batch.x, noise[rows], rows)
        for k in live:
            if rows.start <= k < rows.stop:
                jobs[k].parts.evaluation.update(SPLIT, jobs[k].model, row_of(output, k - start), batch, number)


def moved(batch: Batch, feed: Feed) -> Batch:
    """A batch on the device of the stack, its images in the precision of the stack."""
    device = feed.like.device
    labels, factors = (None if part is None else part.to(device) for part in (batch.labels, batch.factors))
    return Batch(batch.x.to(feed.like), batch.indices.to(device), labels, factors)
