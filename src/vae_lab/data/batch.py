"""A batch: images with their indices in the split, and what is known of them.

Shapes: B batch, F factors; images are (B, C, H, W).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

ROWS = 2**20  # more than any batch holds


class Batch(NamedTuple):
    """Images and, by row, their index in the split, label and factors of variation."""

    x: Tensor  # (B, C, H, W)
    indices: Tensor  # (B,), int64
    labels: Tensor | None = None  # (B,), int64
    factors: Tensor | None = None  # (B, F), int64

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch._make(None if part is None else part.to(device, non_blocking=True) for part in self)


def as_batch(batch: Any, batch_idx: int) -> Batch:
    """Read a batch of any common form: ours, images alone, or images and labels as a plain DataLoader gives them.

    A plain loader does not say which images it gives: their indices are made of the number of the batch and the row.

    Raises:
        ValueError: for anything else.

    Example:
        >>> as_batch((torch.zeros(2, 1, 8, 8), torch.tensor([3, 5])), batch_idx=0).labels
        tensor([3, 5])
    """
    if isinstance(batch, Batch):
        return batch
    x, labels = (*batch, None)[:2] if isinstance(batch, (list, tuple)) and batch else (batch, None)
    if not isinstance(x, Tensor) or x.ndim != 4:
        found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"a batch must be images (B, C, H, W), or a tuple that begins with them; this one has {found}")
    indices = batch_idx * ROWS + torch.arange(len(x), device=x.device)
    return Batch(x, indices, labels if isinstance(labels, Tensor) and labels.ndim == 1 else None)
