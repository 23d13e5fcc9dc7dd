"""ShuffleGap: zero for a decoder that ignores z, and the known value for hand-made ones."""

import pytest
import torch

from vae_lab import noise
from vae_lab.metrics import ShuffleGap, information_bound
from vae_lab.metrics.shuffle_gap import LEAST_IMAGES, MOST_DECODED, NEGLIGIBLE

FLOAT = torch.float64


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=FLOAT)


def squared(z, x, indices=None):
    """The decoder whose pixels are the latents, with unit variance and no constant."""
    return 0.5 * (x.flatten(1) - z).square().sum(1)


def first_only(z, x, indices=None):
    return 0.5 * (x.flatten(1)[:, 0] - z[:, 0]).square()


def measured(distortion, x, z, sizes=None, mean=None, stddev=None, **options):
    """The figures of latents z; where no posteriors are given, they are points at z."""
    metric = ShuffleGap(distortion, **options)
    mean, stddev = z if mean is None else mean, 1e-9 * torch.ones_like(z) if stddev is None else stddev
    given = (torch.arange(len(x)), x, z, distortion(z, x), mean, stddev)
    for part in zip(*(tensor.split(sizes or len(x)) for tensor in given), strict=True):
        metric.update(*part)
    return metric.compute()


def images(z):
    return z[:, None, None, :]


def test_decoder_that_ignores_z_has_no_gap():
    z = 30 * randn(200, 3, seed=0)
    figures = measured(lambda z, x, indices=None: x.flatten(1).square().sum(1), images(z), z)
    for name in ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se"):
        assert figures[name].count_nonzero() == 0, name


def test_gap_is_the_rise_of_the_distortion_by_the_partner():
    x, z = images(randn(60, 3, seed=1)), randn(60, 3, seed=2)
    partner = noise.derangement(60, seed=5, purpose="shuffle").tolist()
    rises = torch.stack(
        [squared(z[p : p + 1], x[i : i + 1]) - squared(z[i : i + 1], x[i : i + 1]) for i, p in enumerate(partner)]
    )
    figures = measured(squared, x, z, seed=5)
    assert figures["shuffle_gap"].item() == pytest.approx(rises.mean().item(), rel=1e-12)
    assert figures["shuffle_gap_se"].item() == pytest.approx(rises.std(correction=1).item() / 60**0.5, rel=1e-12)
    for j in range(3):
        rises = 0.5 * (x[:, 0, 0, j] - z[partner, j]).square() - 0.5 * (x[:, 0, 0, j] - z[:, j]).square()
        assert figures["shuffle_gap_dim"][j].item() == pytest.approx(rises.mean().item(), rel=1e-12)
        assert figures["shuffle_gap_dim_se"][j].item() == pytest.approx(rises.std().item() / 60**0.5, rel=1e-12)


def test_identity_decoder_loses_the_variance_of_its_latents():
    """E ½ ‖z - z'‖² of independent z, z' is Σ Var(z_j), and each dimension loses its own variance."""
    scales = torch.tensor([2.0, 1.0, 0.1], dtype=FLOAT)
    z = scales * randn(13_000, 3, seed=3)
    figures = measured(squared, images(z), z)
    assert figures["shuffle_gap"].item() == pytest.approx(5.01, abs=4 * figures["shuffle_gap_se"].item())
    torch.testing.assert_close(figures["shuffle_gap_dim"], scales**2, rtol=0.05, atol=0)
    assert figures["shuffle_gap_dim"].sum().item() == pytest.approx(figures["shuffle_gap"].item(), rel=1e-9)


def test_standard_error_covers_the_truth():
    """In 200 repetitions the known gap of 1 lies within two standard errors about 95 times in 100."""
    hits = 0
    for seed in range(200):
        z = randn(100, 1, seed=seed)
        figures = measured(squared, images(z), z, seed=seed)
        hits += (figures["shuffle_gap"] - 1).abs() < 2 * figures["shuffle_gap_se"]
    assert 165 <= hits <= 199


def test_only_the_used_dimension_has_a_gap():
    z = randn(500, 4, seed=4)
    figures = measured(first_only, images(z), z)
    assert figures["shuffle_gap_dim"][0] > 0.5
    assert figures["shuffle_gap_dim"][1:].count_nonzero() == 0
    assert figures["shuffle_gap_dim"][0] == figures["shuffle_gap"]


def test_a_dimension_with_one_posterior_for_all_images_is_settled_without_decoding():
    """Its gap is 0 in expectation; one decoder call is for the whole z, the other for the dimension that is left."""
    z = randn(300, 3, seed=11)
    calls = []

    def decoder(z, x, indices=None):
        calls.append(len(z))
        return 0.5 * (x.flatten(1) - z).square().sum(1)

    mean = z * torch.tensor([1.0, 1e-3, 0.0])
    figures = measured(decoder, images(z), z, mean=mean, stddev=torch.ones_like(z).double())
    assert calls == [300, 300, 300]  # the images' own, all dimensions exchanged, the first one exchanged
    assert figures["shuffle_gap_dim"][0] > 0.5
    assert figures["shuffle_gap_dim"][1:].tolist() == figures["shuffle_gap_dim_se"][1:].tolist() == [0, 0]


def test_settling_is_bounded_by_the_information():
    """I(x; z_j) of z = g m + noise is ½ log(1 + g²); the bound lies above, and far below where it settles."""
    gains = torch.tensor([0.0, 0.005, 0.1, 3.0], dtype=FLOAT)
    bound = information_bound(gains * randn(100_000, 4, seed=12), torch.ones(100_000, 4))
    torch.testing.assert_close(bound, 0.5 * (1 + gains.square()).log(), rtol=0.02, atol=1e-7)
    assert (bound < NEGLIGIBLE).tolist() == [True, True, False, False]
    spread = torch.tensor([[0.1], [10.0]], dtype=FLOAT)  # posteriors that differ in width alone tell of x too
    assert information_bound(torch.zeros(2, 1), spread) > 1


@pytest.mark.parametrize(("dims", "count"), [(2, 3000), (40, 1000), (400, 100)])
def test_single_dimensions_rest_on_fewer_images_where_there_are_many(dims, count):
    z = randn(3000, dims, seed=13)
    figures = measured(squared, images(z), z)
    assert figures["shuffle_gap_dim_images"] == count
    assert dims * count <= MOST_DECODED or count == LEAST_IMAGES
    assert (figures["shuffle_gap_dim"] - 1).abs().max() < 6 * figures["shuffle_gap_dim_se"].max()


def test_the_images_of_single_dimensions_are_spread_over_a_sorted_split():
    z = torch.cat([torch.zeros(1500, 40, dtype=FLOAT), randn(1500, 40, seed=14)])  # only the second half has latents
    figures = measured(squared, images(z), z)
    torch.testing.assert_close(figures["shuffle_gap_dim"].mean(), torch.tensor(0.5, dtype=FLOAT), rtol=0.1, atol=0)


def test_nothing_keeps_its_own_latent():
    z = torch.arange(50, dtype=FLOAT)[:, None]
    figures = measured(lambda z, x, indices=None: (z[:, 0] == x[:, 0, 0, 0]).double(), images(z), z)
    assert figures["shuffle_gap"] == -1  # each image is its own partner before, none is after
    assert figures["shuffle_gap_se"] == 0


@pytest.mark.parametrize("sizes", [[101], [40, 40, 21], [1] * 101], ids=len)
@pytest.mark.parametrize("chunk", [1, 33, 500])
def test_batches_and_chunks_change_nothing(sizes, chunk):
    x, z = images(randn(101, 2, seed=6)), randn(101, 2, seed=7)
    whole, cut = measured(squared, x, z), measured(squared, x, z, sizes, chunk=chunk)
    for name, value in whole.items():
        torch.testing.assert_close(cut[name], value)


def test_partners_come_from_the_seed_and_not_from_the_global_generator():
    x, z = images(randn(101, 2, seed=8)), randn(101, 2, seed=9)
    torch.manual_seed(0)
    first, before = measured(squared, x, z, seed=1), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(measured(squared, x, z, seed=1)["shuffle_gap"], first["shuffle_gap"])
    assert not torch.equal(measured(squared, x, z, seed=2)["shuffle_gap"], first["shuffle_gap"])
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), before)
