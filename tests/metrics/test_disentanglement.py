"""Scores of disentanglement on codes whose answer is known."""

import math

import pytest
import torch

from vae_lab.metrics import (
    DCI,
    MIG,
    SAP,
    BetaVAEScore,
    FactorVAEScore,
    best_factors,
    beta_vae_score,
    dci,
    factor_vae_score,
    mig,
    sap,
)
from vae_lab.metrics.mig import discretised
from vae_lab.metrics.shared_factor import SharedFactor

V = 6  # values of each factor
FACTORS = torch.cartesian_prod(*[torch.arange(V)] * 3).repeat(5, 1)  # 1,080 images of a whole grid
N = len(FACTORS)


def noise(columns, seed=0):
    return torch.randn(N, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotated(angle=math.pi / 4):
    """The first two codes turned into one another."""
    codes = FACTORS.double() - (V - 1) / 2
    turn = torch.eye(3, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return codes @ turn.T


CODES = {
    "equal": FACTORS.double(),
    "equal, turned round and stretched": FACTORS.double() * torch.tensor([-3.0, 0.1, 7.0]) + 5,
    "permuted, beside unused ones": torch.cat([noise(2), FACTORS.double()[:, [2, 0, 1]]], 1),
    "rotated by 45 degrees": rotated(),
    "constant": torch.ones(N, 3, dtype=torch.float64),
    "random": noise(3),
    "duplicated": torch.cat([FACTORS.double(), FACTORS.double()], 1),
    "one factor missing": FACTORS[:, :2].double(),
    "one code for all": (FACTORS * torch.tensor([V * V, V, 1])).sum(1, keepdim=True).double(),
}


@pytest.mark.parametrize(
    ("codes", "expected", "within"),
    [
        ("equal", 1, 1e-9),
        ("equal, turned round and stretched", 1, 1e-9),
        ("permuted, beside unused ones", 1, 0.05),  # 20 bins find some information in noise
        ("rotated by 45 degrees", 1 / 3, 1e-9),  # the third factor has its code, the two others none that leads
        ("constant", 0, 1e-9),
        ("random", 0, 0.02),
        ("duplicated", 0, 1e-9),
    ],
)
def test_mig(codes, expected, within):
    assert mig(CODES[codes], FACTORS).item() == pytest.approx(expected, abs=within)


def test_mig_is_what_the_formula_says_for_any_codes():
    """Against mutual information by counting, with few bins."""
    codes, bins = noise(2, seed=3) + FACTORS[:, :2], 4
    binned, total = torch.from_numpy(discretised(codes, bins)), 0
    for k in range(3):
        scores = []
        for j in range(2):
            joint = torch.zeros(bins, V, dtype=torch.float64)
            for b, v in zip(binned[:, j].tolist(), FACTORS[:, k].tolist(), strict=True):
                joint[b, v] += 1 / N
            product = joint.sum(1, keepdim=True) * joint.sum(0)
            scores.append((joint * (joint / product).log()).nan_to_num().sum().item())
        total += (max(scores) - min(scores)) / math.log(V)
    assert mig(codes, FACTORS, bins).item() == pytest.approx(total / 3, rel=1e-9)


def test_mig_depends_on_the_bins_which_stand_beside_it():
    """Two bins hold one bit of a factor of six values."""
    codes, figures = CODES["equal"], {}
    for bins in (2, 20):
        metric = MIG(bins=bins)
        metric.update(torch.arange(N), codes, FACTORS)
        figures[bins] = {name: value.item() for name, value in metric.compute().items()}
    assert figures[20] == {"mig": pytest.approx(1), "mig_bins": 20}
    assert figures[2] == {"mig": pytest.approx(math.log(2) / math.log(V)), "mig_bins": 2}


def test_a_factor_of_one_value_is_left_out():
    factors = torch.cat([FACTORS, torch.zeros(N, 1, dtype=torch.int64)], 1)
    assert mig(CODES["equal"], factors).item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("codes", "regression", "threshold"),
    [
        ("equal", 1, 1 - 1 / V),
        ("equal, turned round and stretched", 1, 1 - 1 / V),
        ("permuted, beside unused ones", 1, 1 - 1 / V),
        ("rotated by 45 degrees", 1 / 3, (1 - 1 / V) / 3),
        ("constant", 0, 0),
        ("random", 0, 0),
        ("duplicated", 0, 0),
    ],
)
def test_sap(codes, regression, threshold):
    assert sap(CODES[codes], FACTORS).item() == pytest.approx(regression, abs=0.01)
    assert sap(CODES[codes], FACTORS, "threshold").item() == pytest.approx(threshold, abs=0.06)


@pytest.mark.parametrize(
    ("codes", "disentanglement", "completeness", "informativeness"),
    [
        ("equal", 1, 1, 1),
        ("equal, turned round and stretched", 1, 1, 1),
        ("permuted, beside unused ones", 1, 1, 1),
        # two codes each serve two factors alike, and are two for each: log 2 / log 3 of the most that can be lost
        ("rotated by 45 degrees", 1 - 2 / 3 * math.log(2) / math.log(3), 1 - 2 / 3 * math.log(2) / math.log(3), 1),
        ("constant", 0, 0, 1 / V),
        ("random", 0, 0, 1 / V),
        ("duplicated", 1, 1 - math.log(2) / math.log(6), 1),
        ("one code for all", 0, 1, 1),
    ],
)
def test_dci(codes, disentanglement, completeness, informativeness):
    found = [score.item() for score in dci(CODES[codes], FACTORS, trees=20)]
    assert found == pytest.approx([disentanglement, completeness, informativeness], abs=0.08)


@pytest.mark.parametrize(
    ("codes", "factor_vae", "beta_vae"),
    [
        ("equal", 1, 1),
        ("equal, turned round and stretched", 1, 1),
        ("permuted, beside unused ones", 1, 1),
        ("rotated by 45 degrees", 2 / 3, 2 / 3),  # the third factor is told, the two others guessed
        ("constant", 1 / 3, 1 / 3),
        ("random", 1 / 3, 1 / 3),
        ("duplicated", 1, 1),  # neither punishes it
        ("one factor missing", 2 / 3, 1),  # and β-VAE's does not see this
    ],
)
def test_scores_by_shared_factors(codes, factor_vae, beta_vae):
    found = CODES[codes]
    assert factor_vae_score(found, FACTORS, votes=500, unused=0).item() == pytest.approx(factor_vae, abs=0.07)
    assert beta_vae_score(found, FACTORS, votes=500).item() == pytest.approx(beta_vae, abs=0.07)


def test_a_code_that_hardly_varies_has_no_vote():
    """The second code follows the second factor exactly, within a variance of 0.03."""
    codes = FACTORS[:, :2].double() * torch.tensor([1.0, 0.1])
    assert factor_vae_score(codes, FACTORS[:, :2], votes=200, unused=0).item() == 1
    assert factor_vae_score(codes, FACTORS[:, :2], votes=200).item() == pytest.approx(1 / 2, abs=0.1)


def test_a_drawn_batch_shares_its_factor_and_the_others_vary():
    draws = SharedFactor(FACTORS, seed=0, purpose="test")
    factor, rows = draws.batch(0, 200)
    assert [len(FACTORS[rows, k].unique()) for k in range(3)] == [1 if k == factor else V for k in range(3)]
    factor, one, other = draws.pairs(0, 200)
    shared = (FACTORS[one] == FACTORS[other]).double().mean(0).tolist()
    assert shared == pytest.approx([1 if k == factor else 1 / V for k in range(3)], abs=0.1)
    assert len(FACTORS[one, factor].unique()) == V, "each pair has a value of its own"
    assert {SharedFactor(FACTORS, 0, "test").batch(i, 1)[0] for i in range(20)} == {0, 1, 2}


def test_a_factor_of_one_value_is_never_shared():
    factors = torch.cat([FACTORS[:, :1], torch.zeros(N, 1, dtype=torch.int64)], 1)
    assert SharedFactor(factors, 0, "test").varying == [0]
    with pytest.raises(ValueError, match="each has one value"):
        SharedFactor(factors[:, 1:], 0, "test")


def test_each_code_has_its_best_factor():
    matches = best_factors(CODES["permuted, beside unused ones"], FACTORS)
    assert [match.factor for match in matches[2:]] == [2, 0, 1]
    assert [match.information for match in matches[2:]] == pytest.approx([math.log(V)] * 3)
    assert all(match.information < 0.05 * match.entropy for match in matches[:2])


@pytest.mark.parametrize("metric", [MIG, SAP, DCI, FactorVAEScore, BetaVAEScore])
def test_neither_order_nor_size_of_batches_counts(metric):
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    codes = CODES["rotated by 45 degrees"]
    one, other = metric(), metric()
    one.update(torch.arange(N), codes, FACTORS)
    for rows in order.split(400):
        other.update(rows, codes[rows], FACTORS[rows])
    first, second = one.compute(), other.compute()
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


def test_figures_say_how_they_were_made():
    metric = SAP(fit="threshold")
    metric.update(torch.arange(N), CODES["equal"], FACTORS)
    assert list(metric.compute()) == ["sap_threshold"]
    metric = DCI(trees=3)
    metric.update(torch.arange(N), CODES["equal"], FACTORS)
    assert metric.compute()["dci_trees"].item() == 3


def test_they_are_measured_where_the_data_have_factors(compose_config, tmp_path):
    from vae_lab.training.assembly import assemble

    chosen = ("metrics=disentanglement", "metrics.test.dci.trees=2")
    parts = assemble(compose_config("data=sprites", f"data.root={tmp_path}", *chosen))
    assert {"mig", "sap", "dci", "factor_vae", "beta_vae"} <= set(parts.evaluation.names["test"])
    with pytest.raises(ValueError, match=r"metrics\.test\.mig: update asks for factors, which these data do not have"):
        assemble(compose_config(*chosen))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MIG(bins=1), "bins=1: must be a whole number >= 2"),
        (lambda: SAP(fit="svm"), "fit=svm: must be one of regression, threshold"),
        (lambda: DCI(trees=0), "trees=0: must be a whole number >= 1"),
        (lambda: FactorVAEScore(batch=1), "batch=1: must be a whole number >= 2"),
        (lambda: FactorVAEScore(unused=-1), "unused=-1: must be a finite number >= 0"),
        (lambda: BetaVAEScore(votes=1), "votes=1: must be a whole number >= 20"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
