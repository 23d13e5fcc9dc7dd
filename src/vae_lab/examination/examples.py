"""What a person gives as data: a tensor, an array, a Dataset or a DataLoader becomes one tensor of examples."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from vae_lab.checks import ArgumentError, integer, one_line
from vae_lab.data import Batch
from vae_lab.metrics.shuffle_gap import evenly

NAMES = ("x", "X", "image", "images", "pixel_values", "img", "data", "input", "inputs")
LABELS = ("label", "labels", "y", "target", "targets")
BATCH = 256  # examples that a Dataset is read by
MAX_VALUES = 200_000_000  # numbers that are held: 0.8 GB

Key = str | int | Callable[[Any], Tensor] | None


class Examples(NamedTuple):
    """N examples of any shape, and what class each is of, where that is known."""

    x: Tensor  # (N, ...)
    labels: Tensor | None = None  # (N,), int64


def read_examples(data: Any, key: Key = None, limit: int = 10_000) -> Examples:
    """Read at most ``limit`` examples, fewer where they are large: evenly spread, the first ones of a DataLoader.

    Args:
        data: a tensor or array (N, ...), a Dataset, a DataLoader, or any iterable of batches. Items and batches may be
            tensors, tuples that begin with one, or dicts.
        key: which entry of a tuple or dict holds the examples, or a function of a batch that gives them; found by its
            usual names when None.
        limit: how many.

    Raises:
        ArgumentError: when they cannot be read.

    Example:
        >>> read_examples([{"image": torch.zeros(2, 3, 8, 8), "label": torch.tensor([4, 7])}]).labels
        tensor([4, 7])
    """
    integer("images", limit, low=2)
    if isinstance(data, Mapping):
        data = [data]  # one batch of all
    if isinstance(data, (Tensor, np.ndarray)):
        x = torch.as_tensor(data)
        if x.ndim < 2:
            raise ArgumentError(
                "data", f"a tensor of shape {tuple(x.shape)}", "must hold examples along its first axis"
            )
        if not len(x):
            raise ArgumentError("data", f"a tensor of shape {tuple(x.shape)}", "holds no examples")
        return Examples(x[evenly(len(x), affordable(x[0], limit))])
    if isinstance(data, Dataset) and not isinstance(data, DataLoader):
        return read_batches(loader(data, key, limit), key, limit)
    if not isinstance(data, Iterable) or isinstance(data, str):
        raise ArgumentError("data", type(data).__name__, "must be a tensor, an array, a Dataset or a DataLoader")
    return read_batches(data, key, limit)


def affordable(example: Tensor, limit: int) -> int:
    """How many examples of this size are held."""
    return max(min(limit, MAX_VALUES // max(example.numel(), 1)), 2)


def loader(data: Dataset[Any], key: Key, limit: int) -> Iterable[Any]:
    """The batches of a Dataset, of an even part of it where it is larger than what is held."""
    if not hasattr(data, "__len__"):
        return DataLoader(data, BATCH)
    first = read_batch([data[0]][0], key).x
    rows = evenly(len(data), affordable(first, limit))
    return DataLoader(Subset(data, rows.tolist()), BATCH)


def read_batches(batches: Iterable[Any], key: Key, limit: int) -> Examples:
    """The first ``limit`` examples of batches.

    Raises:
        ArgumentError: when there are none, or they are not alike.
    """
    parts: list[Examples] = []
    held = 0
    try:
        for batch in batches:
            parts.append(read_batch(batch, key))
            held += len(parts[-1].x)
            if held >= affordable(parts[0].x[0], limit):
                break
        x = torch.cat([part.x for part in parts])
    except ArgumentError:
        raise
    except Exception as error:  # a person's loader: whatever breaks there
        raise ArgumentError("data", type(batches).__name__, f"cannot be read ({one_line(error)})") from error
    count = affordable(x[0], limit)
    labels = [part.labels for part in parts if part.labels is not None]
    return Examples(x[:count], torch.cat(labels)[:count] if len(labels) == len(parts) else None)


def read_batch(batch: Any, key: Key = None) -> Examples:
    """The examples of one batch, and their labels.

    Raises:
        ArgumentError: when it does not say where they are.

    Example:
        >>> read_batch((torch.zeros(2, 784), torch.tensor([4, 7]))).x.shape
        torch.Size([2, 784])
    """
    if isinstance(batch, Batch) and key is None:
        return Examples(batch.x.detach(), batch.labels)
    if callable(key):
        x, labels = key(batch), None
    elif isinstance(batch, Mapping):
        x, labels = of_mapping(batch, key), next((batch[name] for name in LABELS if name in batch), None)
    elif isinstance(batch, (list, tuple)) and batch:
        x, labels = batch[key if isinstance(key, int) else 0], batch[1] if len(batch) > 1 else None
    else:
        x, labels = batch, None
    if not isinstance(x, (Tensor, np.ndarray)):
        wanted = "must hold tensors or arrays: a torchvision dataset needs a transform such as ToTensor()"
        raise ArgumentError("data", f"a batch of {type(x).__name__}", wanted)
    known = isinstance(labels, Tensor) and labels.ndim == 1 and not labels.is_floating_point()
    return Examples(torch.as_tensor(x).detach(), labels.long().cpu() if known and labels is not None else None)


def of_mapping(batch: Mapping[Any, Any], key: Key) -> Any:
    """The entry of a dict that holds the examples.

    Raises:
        ArgumentError: when none has a usual name, and there are several.
    """
    if key is not None:
        if key not in batch:
            raise ArgumentError("key", key, f"must be one of {', '.join(map(str, batch))}")
        return batch[key]
    tensors = [name for name, value in batch.items() if isinstance(value, (Tensor, np.ndarray))]
    named = [name for name in NAMES if name in batch] or (tensors if len(tensors) == 1 else [])
    if not named:
        raise ArgumentError(
            "data", "a dict", f"say which entry holds the examples: key= one of {', '.join(map(str, batch))}"
        )
    return batch[named[0]]
