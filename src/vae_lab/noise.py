"""Random numbers as functions of (seed, purpose, index): nothing here touches a global generator.

The same triple gives the same numbers in any process, at any time and on any device (they are drawn on the CPU).
Exact resume, equality across devices and stacked training all rest on this. The generator is counter-based (Philox,
Salmon et al. 2011), its key a 128-bit hash of the triple: two streams never meet.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

WORDS = 4  # of 64 bits that Philox gives for each value of its counter


def key(seed: int, purpose: str, index: int = 0) -> int:
    """The 128-bit key of a stream."""
    return int.from_bytes(digest(seed, purpose, index), "big")


def digest(seed: int, purpose: str, index: int) -> bytes:
    """The hash of a triple, 16 bytes."""
    return hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=16).digest()


class Key(ISeedSequence):
    """The key of a stream as numpy asks for it: where it is given a number, it draws a seed from the system as well."""

    def __init__(self, seed: int, purpose: str, index: int) -> None:
        self.digest = digest(seed, purpose, index)

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[np.uint64]:
        """The key as two words, the lower first."""
        return np.frombuffer(self.digest[::-1], "<u8").astype(np.uint64)


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return a generator that depends on nothing but ``seed``, ``purpose`` and ``index``.

    Example:
        >>> generator(0, "sample").integers(10, size=4).tolist() == generator(0, "sample").integers(10, size=4).tolist()
        True
    """
    return np.random.Generator(np.random.Philox(Key(seed, purpose, index)))  # type: ignore[arg-type]


def normal(shape: tuple[int, ...], like: Tensor, *, seed: int, purpose: str, index: int) -> Tensor:
    """Return standard normal noise of ``shape``, with the device and dtype of ``like``.

    Example:
        >>> steps = [normal((2, 3), torch.zeros(()), seed=0, purpose="train", index=step) for step in (7, 7, 8)]
        >>> steps[0].equal(steps[1]), steps[0].equal(steps[2])
        (True, False)
    """
    return torch.from_numpy(generator(seed, purpose, index).standard_normal(shape, dtype=np.float32)).to(like)


def normal_rows(indices: Tensor, width: int, like: Tensor, *, seed: int, purpose: str) -> Tensor:
    """Return standard normal noise (B, ``width``), of which row b depends on ``indices[b]`` and not on the others.

    Whatever batch an image of a split comes in, and on whichever process, its noise is the same. Each row has counters
    of its own in one stream, and the normal quantiles turn its bits into noise (a fixed number of bits for each, which
    a sampler that rejects would not take).

    Args:
        indices: (B,), whole numbers >= 0, such as those of images in their split.
        width: how many numbers each row has.
        like: its device and dtype are those of the noise.
        seed: as for the other streams.
        purpose: likewise.

    Example:
        >>> whole = normal_rows(torch.arange(10), 4, torch.zeros(()), seed=0, purpose="val")
        >>> some = normal_rows(torch.tensor([7, 2]), 4, torch.zeros(()), seed=0, purpose="val")
        >>> whole[[7, 2]].equal(some)
        True
    """
    blocks = -(-width // WORDS)
    places = indices.cpu().numpy()
    neighbours = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)  # one call for each run of neighbours
    bits = [stream(key(seed, purpose), int(run[0]) * blocks, len(run) * blocks) for run in neighbours if len(run)]
    rows = np.concatenate(bits).reshape(len(places), -1)[:, :width] if bits else np.zeros((0, width), np.uint64)
    return torch.from_numpy(ndtri((rows >> np.uint64(11)) * 2.0**-53 + 2.0**-54).astype(np.float32)).to(like)


def stream(key: int, start: int, count: int) -> NDArray[np.uint64]:
    """The random bits (4 · ``count``,) of ``count`` values of a Philox counter from ``start`` on."""
    return np.random.Philox(key=key, counter=start).random_raw(count * WORDS)


def uniform(shape: tuple[int, ...], *, seed: int, purpose: str, index: int = 0) -> Tensor:
    """Return uniform noise in [0, 1) of ``shape``, float32.

    Example:
        >>> uniform((2, 3), seed=0, purpose="pixels").shape
        torch.Size([2, 3])
    """
    return torch.from_numpy(generator(seed, purpose, index).random(shape, dtype=np.float32))


def permutation(n: int, *, seed: int, purpose: str, index: int = 0) -> Tensor:
    """Return a random permutation of ``range(n)``, shape (n,), int64.

    Example:
        >>> sorted(permutation(5, seed=0, purpose="order").tolist())
        [0, 1, 2, 3, 4]
    """
    return torch.from_numpy(generator(seed, purpose, index).permutation(n))


def derangement(n: int, *, seed: int, purpose: str) -> Tensor:
    """Return a random permutation of ``range(n)``, ``n >= 2``, that leaves nothing in its place (one single cycle).

    Example:
        >>> bool((derangement(5, seed=0, purpose="shuffle") == torch.arange(5)).any())
        False
    """
    order = permutation(n, seed=seed, purpose=purpose)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner
