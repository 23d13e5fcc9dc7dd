"""Tables and words: they say what the results say, and no more than the seeds support."""

import csv

import pytest

from vae_lab.report import finish
from vae_lab.report.progress import Position, duration
from vae_lab.report.summary import Run, read_runs, swept_keys
from vae_lab.report.table import cell, rounded
from vae_lab.report.words import sentences
from vae_lab.results import read_json, write_json


def result(verdict="none", rate=3.0, *, seed=0, floor=0.0, status="finished", started="1", steps=100, **overrides):
    metrics = {
        "test/elbo": -20 - rate, "test/rate": rate, "test/distortion": 20.0, "test/mutual_information": rate * 0.9,
        "test/mutual_information_ceiling": 5.7, "test/prior_gap": rate * 0.1, "test/active_units": 2.0,
        "test/shuffle_gap": 3.0, "test/rate_dim": [rate, 0.0],
    }  # fmt: skip
    finished = status == "finished"
    return {
        "status": status, "reason": None if finished else "because", "seed": seed, "overrides": overrides,
        "metrics": metrics if finished else {}, "verdict": verdict, "unused": 1, "latent_dim": 2, "rate_floor": floor,
        "unfinished": False, "seconds": 1.5, "steps": steps, "started": started,
    }  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep directory of results."""

    def make(*results):
        for i, content in enumerate(results):
            (tmp_path / f"run{i}").mkdir()
            write_json(tmp_path / f"run{i}" / "result.json", content | {"started": f"{i:03d}"})
        return tmp_path

    return make


def words(directory):
    runs = read_runs(directory)
    keys = swept_keys(directory, runs)
    return " ".join(sentences(runs, keys))


def seeds(verdict, **overrides):
    return [result(verdict, seed=seed, **overrides) | {"overrides": overrides | {"seed": seed}} for seed in range(3)]


def test_three_seeds_may_say_woke(sweep):
    said = words(sweep(*seeds("full", beta=4, eps=0), *seeds("none", beta=4, eps=0.25)))
    assert "eps=0.25 in place of 0 woke it (all 3 seeds)." in said
    assert "cannot tell" not in said


def test_one_seed_may_not(sweep):
    said = words(sweep(result("full", eps=0), result("none", eps=0.25)))
    assert "woke it" not in said
    assert "One seed per setting cannot tell a setting's effect from luck" in said


def test_one_disagreeing_seed_is_enough_to_say_nothing(sweep):
    after = seeds("none", eps=0.25)
    after[1]["verdict"] = "full"
    assert "woke" not in words(sweep(*seeds("full", eps=0), *after))


def test_a_change_of_two_keys_wakes_nothing(sweep):
    assert "woke" not in words(sweep(*seeds("full", beta=4, eps=0), *seeds("none", beta=1, eps=0.25)))


def test_a_rate_held_at_its_floor_is_not_awake(sweep):
    said = words(sweep(*seeds("full", rate=0.0, eps=0), *seeds("none", rate=0.51, floor=0.5, eps=0.25)))
    assert "woke" not in said
    assert "3 held at the floor" in said


@pytest.mark.parametrize(
    ("rate", "floor", "held"), [(1.0, 1.0, True), (1.06, 1.0, True), (1.2, 1.0, False), (0.01, 0.0, False)]
)
def test_held_at_floor(tmp_path, rate, floor, held):
    run = Run(tmp_path, result(rate=rate, floor=floor))
    assert run.held_at_floor is held
    assert ("held at its floor" in run.verdict) is held


def test_counts_by_value(sweep):
    said = words(sweep(result("full", 0.0, beta=4), result("partial", 2.0, beta=1), result("none", 4.0, beta=1)))
    assert "3 runs: 1 collapsed (z is ignored), 1 with some dimensions unused, 1 with all in use." in said
    assert "beta = 4: 1 of 1 collapsed, mean KL 0.00; 1: 0 of 2 collapsed, mean KL 3.00." in said
    assert "Unused dimensions are no fault" in said


def test_failed_and_diverged_are_named_with_their_reason(sweep, capsys):
    directory = sweep(result(beta=1), result(beta=2, status="failed"), result(beta=3, status="diverged"))
    assert finish(directory) == "1 of 3 runs failed: run1"
    printed = capsys.readouterr().out
    assert "1 diverged:\n  run2: because" in printed
    assert "1 failed:\n  run1: because" in printed


def test_different_lengths_are_pointed_out(sweep):
    assert "differ in their number of steps" in words(sweep(result(a=1), result(a=2, steps=50)))


def test_files_have_a_row_per_run_and_per_setting(sweep):
    directory = sweep(*seeds("full", beta=4), *seeds("none", beta=1))
    finish(directory)
    summary, settings = (list(csv.DictReader((directory / f"{n}.csv").open())) for n in ("summary", "settings"))
    assert len(summary) == 6
    assert [row["beta"] for row in settings] == ["4", "1"]
    assert settings[0]["seeds"] == settings[0]["verdict_full"] == "3"
    assert float(settings[1]["test/rate/median"]) == 3.0


def test_broken_directories_are_passed_over(sweep):
    directory = sweep(result(beta=1))
    (directory / "broken").mkdir()
    (directory / "broken" / "result.json").write_text('{"status": "fin')
    assert finish(directory) == ""
    assert len(read_runs(directory)) == 1


def test_mutual_information_near_its_ceiling_is_a_lower_bound(tmp_path):
    assert cell(Run(tmp_path, result(rate=3.0)), "MI") == "2.70"
    assert cell(Run(tmp_path, result(rate=5.5)), "MI") == "≥ 4.95"


def test_zero_has_no_minus():
    assert rounded(-0.001) == "0.00"
    assert rounded(-0.01) == "-0.01"


def test_json_is_whole_and_without_nan(tmp_path):
    write_json(tmp_path / "a.json", {"nan": float("nan"), "inf": [float("inf"), 1.0]})
    assert read_json(tmp_path / "a.json") == {"nan": None, "inf": [None, 1.0]}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_time_left_follows_the_pace():
    from datetime import UTC, datetime, timedelta

    position = Position(3, 12, datetime.now(UTC) - timedelta(seconds=30))
    assert str(position) == "[ 4/12]"
    assert position.time_left() == "sweep: 1 min 30 s left"
    assert position.time_left(finished=1) == "sweep: 1 min 0 s left"
    assert Position(0, 12, datetime.now(UTC)).time_left() == ""
    assert [duration(s) for s in (4.4, 75, 7300)] == ["4 s", "1 min 15 s", "2 h 1 min"]
