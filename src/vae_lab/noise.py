"""Random numbers as functions of (seed, purpose, index): nothing here touches the global generator.

The same triple gives the same numbers in any process, at any time and on any device (they are drawn on the CPU).
Exact resume, equality across devices and stacked training all rest on this.
"""

import hashlib

import torch
from torch import Tensor


def generator(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """Return a CPU generator that depends on nothing but ``seed``, ``purpose`` and ``index``."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def normal(shape: tuple[int, ...], like: Tensor, *, seed: int, purpose: str, index: int) -> Tensor:
    """Return standard normal noise of ``shape``, with the device and dtype of ``like``."""
    return torch.randn(shape, generator=generator(seed, purpose, index)).to(like)


def permutation(n: int, *, seed: int, purpose: str, index: int = 0) -> Tensor:
    """Return a random permutation of ``range(n)``, shape (n,), int64."""
    return torch.randperm(n, generator=generator(seed, purpose, index))


def derangement(n: int, *, seed: int, purpose: str) -> Tensor:
    """Return a random permutation of ``range(n)``, ``n >= 2``, that leaves nothing in its place (one single cycle)."""
    order = permutation(n, seed=seed, purpose=purpose)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner
