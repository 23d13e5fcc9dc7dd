"""Noise: functions of (seed, purpose, index) alone, with the promised distribution."""

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats

from vae_lab import noise

LIKE = torch.zeros((), dtype=torch.float64)


def draw(seed=0, purpose="train", index=0, n=4):
    return noise.normal((n,), LIKE, seed=seed, purpose=purpose, index=index)


def test_same_triple_gives_the_same_numbers():
    assert torch.equal(draw(3, "train", 7), draw(3, "train", 7))


def test_numbers_are_the_same_in_every_version():
    """A run of today must resume tomorrow: these are the numbers of seed 0, purpose train, index 0."""
    key = int.from_bytes(hashlib.blake2b(b"0/train/0", digest_size=16).digest(), "big")
    expected = np.random.Generator(np.random.Philox(key=key)).standard_normal(4, dtype=np.float32)
    assert draw().float().tolist() == expected.tolist()


def test_seed_purpose_and_index_each_matter():
    draws = [draw(*key) for key in [(0, "train", 0), (1, "train", 0), (0, "val", 0), (0, "train", 1), (1, "train", 1)]]
    assert len({tuple(values.tolist()) for values in draws}) == len(draws)


def test_streams_of_neighbouring_indices_are_uncorrelated():
    table = torch.stack([draw(index=index, n=2000) for index in range(30)])
    off_diagonal = torch.corrcoef(table) - torch.eye(30)
    assert off_diagonal.abs().max() < 5 / 2000**0.5


def test_normal_is_standard_normal():
    assert stats.kstest(draw(n=20_000).numpy(), "norm").pvalue > 0.001


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_takes_dtype_and_shape(dtype):
    values = noise.normal((2, 3, 4), torch.zeros(1, dtype=dtype), seed=0, purpose="x", index=0)
    assert (values.shape, values.dtype) == ((2, 3, 4), dtype)


def test_global_generator_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = (draw(), noise.permutation(9, seed=0, purpose="order"), noise.derangement(9, seed=0, purpose="order"))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = (draw(), noise.permutation(9, seed=0, purpose="order"), noise.derangement(9, seed=0, purpose="order"))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_permutation_holds_every_number_once_and_changes_with_its_index():
    orders = [noise.permutation(50, seed=0, purpose="order", index=index) for index in range(5)]
    assert all(order.sort().values.equal(torch.arange(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 5


@pytest.mark.parametrize("n", [2, 3, 4, 10, 101])
@pytest.mark.parametrize("seed", range(5))
def test_derangement_is_one_cycle_that_leaves_nothing_in_place(n, seed):
    partner = noise.derangement(n, seed=seed, purpose="shuffle")
    assert partner.sort().values.equal(torch.arange(n))
    assert (partner != torch.arange(n)).all()
    visited, here = {0}, partner[0].item()
    while here != 0:
        visited.add(here)
        here = partner[here].item()
    assert len(visited) == n


def test_every_partner_is_equally_likely():
    partners = [noise.derangement(5, seed=seed, purpose="shuffle")[0].item() for seed in range(800)]
    counts = torch.bincount(torch.tensor(partners), minlength=5)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:].numpy()).pvalue > 0.001


def test_rows_depend_on_their_own_index_only():
    like = torch.zeros(())
    whole = noise.normal_rows(torch.arange(40), 7, like, seed=3, purpose="val")
    mixed = torch.tensor([5, 6, 7, 0, 39, 12])
    assert torch.equal(noise.normal_rows(mixed, 7, like, seed=3, purpose="val"), whole[mixed])
    assert torch.equal(
        noise.normal_rows(torch.tensor([2**45]), 7, like, seed=3, purpose="val").isfinite(), torch.ones(1, 7) > 0
    )
    assert noise.normal_rows(torch.arange(0), 7, like, seed=3, purpose="val").shape == (0, 7)
    assert len(torch.unique(whole)) == whole.numel()


@pytest.mark.parametrize("width", [1, 3, 4, 5, 128])
def test_rows_are_standard_normal_and_independent(width):
    rows = noise.normal_rows(
        torch.arange(200_000 // width), width, torch.zeros((), dtype=torch.float64), seed=0, purpose="x"
    )
    assert stats.kstest(rows.flatten().numpy(), "norm").pvalue > 1e-3
    for lag in (1, width):
        flat = rows.flatten()
        assert abs(torch.corrcoef(torch.stack([flat[lag:], flat[:-lag]]))[0, 1]) < 4 / len(flat) ** 0.5


def test_no_seed_is_drawn_from_the_system(monkeypatch):
    monkeypatch.setattr("numpy.random.bit_generator.randbits", lambda _: pytest.fail("it costs more than the noise"))
    assert noise.normal((2,), LIKE, seed=0, purpose="train", index=0).isfinite().all()
