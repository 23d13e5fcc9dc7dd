"""Tables and words: they say what the results say, and no more than the seeds support."""

import csv
import os

import pytest

from vae_lab.report.matched import distortion_at, matched
from vae_lab.report.show import finish
from vae_lab.report.table import Content, cell, content, rounded
from vae_lab.report.words import sentences
from vae_lab.runs.directory import read_json, write_json
from vae_lab.runs.run import Run, read_runs, swept_keys, text
from vae_lab.runs.setting import settings_of
from vae_lab.sweep.record import Position, duration


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


FULL_OBJECTIVE = {
    "model": "BetaVAE", "pixels": 64, "distortion_reduction": "sum", "kl_weight": 1.0, "rate_weight": 2.0,
    "schedule_end": 0,
}  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep directory of results."""

    def make(*results):
        for i, outcome in enumerate(results):
            (tmp_path / f"run{i}").mkdir()
            write_json(tmp_path / f"run{i}" / "result.json", outcome | {"started": f"{i:03d}"})
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


def test_what_woke_several_is_said_once(sweep):
    said = words(sweep(*seeds("full", remedy="a"), *seeds("full", remedy="b"), *seeds("none", remedy="c")))
    assert "remedy=c in place of a, b woke it (all 3 seeds)." in said
    assert said.count("woke it") == 1


def test_floor_stands_beside_the_rate_where_there_is_one(sweep):
    runs = read_runs(sweep(result(rate=2.1, floor=2.0, eps=1), result(rate=3.0, eps=0)))
    table = content(runs, ["eps"])
    at = table.headings.index("floor")
    assert table.headings[at - 1] == "KL (rate)"
    assert [row[at] for row in table.rows] == ["2.00", "-"]
    assert "floor" not in content([Run(runs[0].directory, result(rate=3.0, eps=0))], ["eps"]).headings


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
    assert cell(Run(tmp_path, result(rate=3.0)), "MI", "test/mutual_information") == "2.70"
    assert cell(Run(tmp_path, result(rate=5.5)), "MI", "test/mutual_information") == "≥ 4.95"


def test_gaussian_sweeps_show_the_linear_prediction(sweep, capsys):
    objective = {"likelihood": "Gaussian", "effective_beta": 2.0, "spectrum": [4 / 0.3, 2 / 0.3], "variance": 0.3}
    gaussian = result(a=1) | {"objective": objective | FULL_OBJECTIVE}
    finish(sweep(gaussian, result(a=2)))
    printed = capsys.readouterr().out
    row = next(line.split() for line in printed.splitlines() if line.split()[:1] == ["1"])
    assert "1.55" in row  # ½ ln(4/.6) + ½ ln(2/.6): λ = 4, 2 at βσ² = .6
    assert "linear KL is the linear VAE's" in printed


def test_a_narrow_terminal_cuts_no_figure_and_moves_causes_below(sweep, monkeypatch, capsys):
    objective = FULL_OBJECTIVE | {"likelihood": "Bernoulli", "effective_beta": 4.0, "spectrum": [3.0], "variance": None}
    collapsed = result("full", 0.0, beta=4) | {"objective": objective}
    directory = sweep(collapsed, result(beta=1))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    finish(directory)
    narrow = capsys.readouterr().out
    assert "…" not in narrow
    assert "cause: β = 4 is too large: the linear limit of these data is 3\n  beta=4\n" in narrow
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((250, 24)))
    finish(directory)
    wide = capsys.readouterr().out
    assert "cause:" not in wide
    assert any(line.rstrip().endswith("the linear limit of these data is 3") for line in wide.splitlines())


def test_zero_has_no_minus():
    assert rounded(-0.001) == "0.00"
    assert rounded(-0.01) == "-0.01"


def test_absence_is_a_value_of_its_own(sweep):
    """A run with a setting and one without it are two settings, not two seeds of one."""
    runs = read_runs(sweep(result(encoder="mine", seed=1), result(seed=5)))
    keys = swept_keys(runs[0].directory.parent, runs)
    assert "encoder" in keys
    assert len(settings_of(runs, keys)) == 2


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


def test_settings_of_unequal_length_wake_nothing(sweep):
    after = [r | {"steps": 999} for r in seeds("none", eps=0.25)]
    assert "woke" not in words(sweep(*seeds("full", eps=0), *after))


@pytest.mark.parametrize(
    ("equal_epochs", "verdict"),
    [((3.0, 0.1), "the number of steps explains the difference"), ((3.0, 2.4), "the batch itself explains more")],
)
def test_equal_steps_beside_equal_epochs_say_which_explains(sweep, equal_epochs, verdict):
    def one(rate, epochs, batch, steps):
        return result(rate=rate, steps=steps) | {"overrides": {"epochs": epochs, "data.batch_size": batch}}

    steady = (one(3.0, None, 16, 1000), one(2.5, None, 512, 1000))
    said = words(sweep(*steady, one(equal_epochs[0], 20, 16, 1000), one(equal_epochs[1], 20, 512, 40)))
    assert "at equal steps from 3.00 (batch 16, 1000 steps) to 2.50 (batch 512, 1000 steps)" in said
    assert verdict in said


def test_distortion_at_a_matched_rate_lies_on_the_line_and_never_beyond():
    points = [(3.0, 10.0), (1.0, 20.0)]
    assert distortion_at(points, 2.0) == 15.0
    assert distortion_at(points, 3.0) == 10.0
    assert distortion_at(points, 3.1) is None
    assert distortion_at([], 1.0) is None


def test_methods_are_matched_over_their_settings(sweep):
    runs = [result(rate=rate, model=model, beta=beta) for model, beta, rate in
            [("vae", 1, 1.0), ("vae", 2, 3.0), ("bn_vae", 1, 5.0)]]  # fmt: skip
    found = read_runs(sweep(*runs))
    assert matched(settings_of(found, ["model", "beta"]), "model", 2.0) == {"vae": 20.0, "bn_vae": None}


def test_baseline_belongs_to_every_method(sweep):
    runs = [result(rate=0.0, remedy="none"), result(rate=2.0, remedy="a"), result(rate=1.0, remedy="b")]
    runs[1]["metrics"]["test/distortion"] = 18.0
    found = settings_of(read_runs(sweep(*runs)), ["remedy"])
    assert matched(found, "remedy", 1.5, baseline="none") == {"a": 18.5, "b": None}


def test_tables_as_markdown_and_latex():
    table = Content(["β", "KL (rate)", "cause"], [["1", "3.00", "σ² = 1 & 50%"], ["4", "≥ 0.00", "x_y"]])
    assert table.markdown().splitlines() == [
        "| β | KL (rate) | cause |",
        "| ---: | ---: | --- |",
        "| 1 | 3.00 | σ² = 1 & 50% |",
        "| 4 | ≥ 0.00 | x_y |",
    ]
    assert table.latex().splitlines() == [
        r"\begin{tabular}{rrl}",
        r"\toprule",
        r"$\beta$ & KL (rate) & cause \\",
        r"\midrule",
        r"1 & 3.00 & $\sigma^2$ = 1 \& 50\% \\",
        r"4 & $\geq$ 0.00 & x\_y \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_values_read_as_a_person_writes_them():
    assert [text({"a": v}, "a") for v in (None, True, 0.5, [1], "off")] == ["null", "true", "0.5", "[1]", "off"]
    assert text({}, "a") == "-"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep=nowhere"], "sweep=nowhere: holds no runs"),
        (["sweep={sweep}", "format=html"], "format=html: must be one of text, markdown, latex"),
        (["sweep={sweep}", "match=model", "rate=1"], "match=model: must be one of eps"),
        (["sweep={sweep}", "match=eps"], "rate=: must be a finite number >= 0"),
    ],
)
def test_report_answers_mistakes_in_one_line(sweep, arguments, words, monkeypatch):
    from vae_lab.console import command
    from vae_lab.report.__main__ import USAGE, main

    directory = sweep(result(eps=0), result(eps=1))
    monkeypatch.setattr("sys.argv", ["report", *(a.format(sweep=directory) for a in arguments)])
    with pytest.raises(SystemExit) as stop:
        command(main, USAGE)
    assert words in str(stop.value.code)


def test_report_prints_markdown(sweep, capsys):
    from vae_lab.console import read_command_line
    from vae_lab.report.__main__ import main

    directory = sweep(result(eps=0), result("full", 0.0, eps=1))
    main(read_command_line([f"sweep={directory}", "format=markdown"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| eps | ELBO | KL (rate) |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 0", "| 1"]
