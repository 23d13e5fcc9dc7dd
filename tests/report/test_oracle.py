"""The linear oracle's table: measured beside theory, and what is said of their agreement."""

import pytest

from vae_lab.report.oracle import agreement, oracle_content, show_oracle
from vae_lab.report.show import show_run
from vae_lab.runs.result import Objective, Result, Theory

RATES = [1.2951, 0.9486, 0.6020, 0.2554, 0.0]


def theory(exact=True):
    return Theory(
        rate_dim=RATES, distortion=4.4017, collapsed=2, squared_error=1.5, variance=0.3,
        eigenvalues=[4, 2, 1, 0.5, 0.2, 0.1], exact=exact,
    )  # fmt: skip


def result(measured=(0.2554, 0.0, 1.2951, 0.6020, 0.9486), exact=True, learned=False, schedule_end=0):
    metrics = {"test/rate_dim": list(measured), "test/rate": sum(measured), "test/distortion": 4.38}
    objective = Objective(
        model="VAE", likelihood="Gaussian", pixels=6, effective_beta=1.0, learned_variance=learned, variance=0.31,
        schedule_end=schedule_end,
    )  # fmt: skip
    return Result(
        status="finished", seed=0, metrics=metrics, unused=1, steps=100, objective=objective, theory=theory(exact)
    )


def rows_of(found):
    return oracle_content(found, found.theory).rows


def said_of(found):
    return agreement(found, found.theory)


def test_a_row_per_latent_and_total():
    rows = rows_of(result())
    assert [row[0] for row in rows] == [
        *(f"KL of dimension {i} (λ = {value})" for i, value in enumerate(["4", "2", "1", "0.5", "0.2"], start=1)),
        "KL (rate)", "distortion", "collapsed dimensions",
    ]  # fmt: skip
    assert rows[5] == ["KL (rate)", "3.1011", "3.1011", "0.0000"]
    assert rows[6] == ["distortion", "4.3800", "4.4017", "-0.0217"]
    assert rows[7] == ["collapsed dimensions", "1", "2", ""]


def test_measured_rates_are_sorted_as_the_eigenvalues_are():
    rows = rows_of(result())[:5]
    assert [row[1] for row in rows] == [row[2] for row in rows] == [f"{rate:.4f}" for rate in RATES]
    assert {row[3] for row in rows} == {"0.0000"}


@pytest.mark.parametrize("learned", [True, False])
def test_variance_has_a_row_where_it_follows_the_data(learned):
    rows = {row[0]: row[1:] for row in rows_of(result(learned=learned))}
    assert rows.get("σ²") == (["0.3100", "0.3000", "0.0100"] if learned else None)


def shifted(*differences):
    return [rate + difference for rate, difference in zip(RATES, differences, strict=True)]


@pytest.mark.parametrize(
    ("differences", "agrees"),
    [
        ((0, 0, 0, 0, 0), True),
        ((0.08, -0.08, 0, 0, 0), True),  # 0.082 is allowed in one dimension, 0.162 in all
        ((0.09, -0.09, 0, 0, 0), False),
        ((0.04, 0.04, 0.04, 0.03, 0), True),
        ((0.04, 0.04, 0.04, 0.05, 0), False),  # each is near, their sum is not
    ],
)
def test_agreement_is_of_each_rate_and_of_their_sum(differences, agrees):
    said = said_of(result(shifted(*differences)))
    assert said.startswith("the rates agree: " if agrees else "the rates DISAGREE: ")
    assert "2% of the total rate + 0.02 nats per dimension: 0.162 in total, 0.082 in one" in said


def test_figures_of_the_disagreement():
    said = said_of(result(shifted(0, 0, 0.3, -0.1, 0)))
    assert said.startswith("the rates DISAGREE: 0.200 nats apart in total, 0.300 in the worst dimension")


def test_agreement_does_not_ask_for_an_order():
    assert said_of(result(list(reversed(RATES)))).startswith("the rates agree: 0.000 nats apart")


def test_what_is_not_exact_is_said_and_not_judged():
    said = said_of(result([0.8] * 5, exact=False))
    assert "agree" not in said.lower()
    assert "diagonal networks" in said
    assert "encoder.diagonal=true decoder.diagonal=true data.rotate=false" in said


def test_a_schedule_that_ends_after_the_run_is_not_judged():
    assert said_of(result(schedule_end=101)).startswith("the schedule ends after the run")
    assert said_of(result(schedule_end=100)).startswith("the rates agree")


def test_table_and_words_are_printed(capsys):
    show_oracle(result())
    said = capsys.readouterr().out
    assert "KL of dimension 4 (λ = 0.5)" in said and "measured" in said and "the rates agree" in said


ORACLE = ("+experiment=linear_oracle", "data.size=100", "data.batch_size=100")


def test_a_linear_run_shows_its_oracle(compose_config, tmp_path, capsys):
    from vae_lab.training.run import execute

    found = execute(compose_config(*ORACLE), tmp_path, {})
    show_run(tmp_path, found)
    said = capsys.readouterr().out
    assert "KL of dimension 5 (λ = 0.2)" in said and "the rates DISAGREE" in said  # 20 steps are too few
    assert found.linear_rate == pytest.approx(3.1011, abs=1e-3)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_run_without_linear_networks_has_no_theory(compose_config, tmp_path, capsys, part):
    from vae_lab.training.run import execute

    found = execute(compose_config(*ORACLE, f"{part}=mlp"), tmp_path, {})
    show_run(tmp_path, found)
    assert found.theory is None
    assert "the rates" not in capsys.readouterr().out
