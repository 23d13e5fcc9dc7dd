"""Collectives: figures of the batch that all processes of a run share. With one process each is the plain local thing.

A run on several devices is a process for each, its *ranks*; every batch is cut into one part for each. What the loss
takes over the batch is taken over the whole, with gradients through the collective: its backward pass sums over ranks
what DistributedDataParallel then divides by their number, so that each term has the gradient of the whole batch.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def ranks() -> int:
    """How many processes train one model together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rows(size: int, rank: int, ranks: int) -> slice:
    """The rows of a batch of ``size`` that are a rank's: in order, each row once, as evenly as can be.

    Example:
        >>> [list(range(10))[rows(10, rank, ranks=4)] for rank in range(4)]
        [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]
    """
    return slice(size * rank // ranks, size * (rank + 1) // ranks)


class Total(torch.autograd.Function):
    """The sum over all ranks of a tensor of one shape; so is that of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Sum over ranks."""
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum over ranks: each rank's loss depends on what all of them have given."""
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def total(x: Tensor) -> Tensor:
    """The sum over all ranks of x, which has the same shape in each."""
    summed: Tensor = x if ranks() == 1 else Total.apply(x)
    return summed


def batch_mean(x: Tensor) -> Tensor:
    """The mean of x (B, ...) over the rows of all ranks, which may have unequal numbers of them: (...).

    Example:
        >>> batch_mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([2., 3.])
    """
    if ranks() == 1:
        return x.mean(0)
    wide = torch.promote_types(x.dtype, torch.float32)
    count = torch.full((1,), len(x), dtype=wide, device=x.device)
    summed = total(torch.cat([x.sum(0, dtype=wide).flatten(), count]))
    return (summed[:-1] / summed[-1]).view(x.shape[1:]).to(x.dtype)


def gather_rows(x: Tensor) -> Tensor:
    """The rows of all ranks, in the order of ranks: x (b, ...) becomes (B, ...).

    Example:
        >>> gather_rows(torch.tensor([[1.0], [2.0]]))
        tensor([[1.],
                [2.]])
    """
    if ranks() == 1:
        return x
    counts = torch.zeros(ranks(), dtype=torch.int64)
    counts[dist.get_rank()] = len(x)
    dist.all_reduce(counts)
    before, after = counts[: dist.get_rank()].sum(), counts[dist.get_rank() + 1 :].sum()
    padding = [x.new_zeros((int(size), *x.shape[1:])) for size in (before, after)]
    return total(torch.cat([padding[0], x, padding[1]]))


def lowest(x: Tensor) -> Tensor:
    """The least x () of all ranks; without gradients."""
    if ranks() > 1:
        x = x.clone()
        dist.all_reduce(x, dist.ReduceOp.MIN)
    return x


def from_first(figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The figures of the first rank, in all of them: what they decide by them, they decide alike.

    Names and shapes must be the same in each.
    """
    if ranks() == 1 or not figures:
        return dict(figures)
    values = torch.cat([value.double().flatten() for value in figures.values()])
    dist.broadcast(values, src=0)
    parts = values.split([value.numel() for value in figures.values()])
    named = zip(figures.items(), parts, strict=True)
    return {name: part.view(value.shape).to(value.dtype) for (name, value), part in named}
