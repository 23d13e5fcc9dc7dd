"""Random numbers as functions of (seed, purpose, index): nothing here touches a global generator.

The same triple gives the same numbers in any process, at any time and on any device (they are drawn on the CPU).
Exact resume, equality across devices and stacked training all rest on this. The generator is counter-based (Philox,
Salmon et al. 2011), its key a 128-bit hash of the triple: two streams never meet.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return a generator that depends on nothing but ``seed``, ``purpose`` and ``index``."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))


def normal(shape: tuple[int, ...], like: Tensor, *, seed: int, purpose: str, index: int) -> Tensor:
    """Return standard normal noise of ``shape``, with the device and dtype of ``like``."""
    return torch.from_numpy(generator(seed, purpose, index).standard_normal(shape, dtype=np.float32)).to(like)


def uniform(shape: tuple[int, ...], *, seed: int, purpose: str, index: int = 0) -> Tensor:
    """Return uniform noise in [0, 1) of ``shape``, float32."""
    return torch.from_numpy(generator(seed, purpose, index).random(shape, dtype=np.float32))


def permutation(n: int, *, seed: int, purpose: str, index: int = 0) -> Tensor:
    """Return a random permutation of ``range(n)``, shape (n,), int64."""
    return torch.from_numpy(generator(seed, purpose, index).permutation(n))


def derangement(n: int, *, seed: int, purpose: str) -> Tensor:
    """Return a random permutation of ``range(n)``, ``n >= 2``, that leaves nothing in its place (one single cycle)."""
    order = permutation(n, seed=seed, purpose=purpose)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner
