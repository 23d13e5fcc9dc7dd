"""Tables and words: they say what the results say, and no more than the seeds support."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from vae_lab.report.comparison import content
from vae_lab.report.figures import cell, rounded
from vae_lab.report.matched import distortion_at, matched
from vae_lab.report.show import finish
from vae_lab.report.table import Content
from vae_lab.report.words import sentences
from vae_lab.runs.process import Process
from vae_lab.runs.result import Objective, Result
from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import settings_of
from vae_lab.runs.sweep import Sweep, SweepRecord


def result(verdict="none", rate=3.0, *, seed=0, floor=0.0, status="finished", steps=100, distortion=20.0, **overrides):
    finished = status == "finished"
    metrics = {
        "test/elbo": -20 - rate, "test/rate": rate, "test/distortion": distortion,
        "test/mutual_information": rate * 0.9, "test/mutual_information_ceiling": 5.7, "test/prior_gap": rate * 0.1,
        "test/active_units": 2.0, "test/shuffle_gap": 3.0, "test/rate_dim": [rate, 0.0],
    }  # fmt: skip
    return Result(
        status=status, reason=None if finished else "because", seed=seed, overrides=overrides,
        metrics=metrics if finished else {}, verdict=verdict if finished else None, unused=1, latent_dim=2,
        rate_floor=floor, seconds=1.5, steps=steps,
    )  # fmt: skip


def objective(**known):
    return Objective(**{"model": "BetaVAE", "likelihood": "Bernoulli", "pixels": 64, "rate_weight": 2.0, **known})


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep directory of results."""

    def make(*results):
        for i, outcome in enumerate(results):
            (tmp_path / f"run{i}").mkdir()
            replace(outcome, started=f"{i:03d}").write(tmp_path / f"run{i}")
        return tmp_path

    return make


def words(directory):
    read = Sweep.read(directory)
    return " ".join(sentences(read.runs, read.keys))


def seeds(verdict, **overrides):
    made = [result(verdict, seed=seed, **overrides) for seed in range(3)]
    return [replace(one, overrides={**one.overrides, "seed": one.seed}) for one in made]


def test_three_seeds_may_say_what_prevented_a_collapse(sweep):
    said = words(sweep(*seeds("full", beta=4, eps=0), *seeds("none", beta=4, eps=0.25)))
    assert "eps=0.25 instead of 0 prevented the collapse (all 3 seeds)." in said
    assert "cannot tell" not in said


def test_what_prevented_several_collapses_is_said_once(sweep):
    said = words(sweep(*seeds("full", remedy="a"), *seeds("full", remedy="b"), *seeds("none", remedy="c")))
    assert "remedy=c instead of a, b prevented the collapse (all 3 seeds)." in said
    assert said.count("prevented") == 1


def test_floor_stands_beside_the_rate_where_there_is_one(sweep):
    runs = Sweep.read(sweep(result(rate=2.1, floor=2.0, eps=1), result(rate=3.0, eps=0))).runs
    table = content(runs, ["eps"])
    at = table.headings.index("floor")
    assert table.headings[at - 1] == "KL (rate)"
    assert [row[at] for row in table.rows] == ["2.00", "-"]
    assert "floor" not in content([Run(runs[0].directory, result(rate=3.0, eps=0))], ["eps"]).headings


def test_one_seed_may_not(sweep):
    said = words(sweep(result("full", eps=0), result("none", eps=0.25)))
    assert "prevented" not in said
    assert "One seed per setting cannot tell the effect of a setting from luck" in said


def test_one_disagreeing_seed_is_enough_to_say_nothing(sweep):
    after = seeds("none", eps=0.25)
    after[1] = replace(after[1], verdict="full")
    assert "prevented" not in words(sweep(*seeds("full", eps=0), *after))


def test_a_change_of_two_keys_prevents_nothing(sweep):
    assert "prevented" not in words(sweep(*seeds("full", beta=4, eps=0), *seeds("none", beta=1, eps=0.25)))


def test_a_rate_held_at_its_floor_prevents_nothing(sweep):
    said = words(sweep(*seeds("full", rate=0.0, eps=0), *seeds("none", rate=0.51, floor=0.5, eps=0.25)))
    assert "prevented" not in said
    assert "In 3 of 6 runs the rate is held at a floor" in said


@pytest.mark.parametrize(
    ("rate", "floor", "held"), [(1.0, 1.0, True), (1.06, 1.0, True), (1.2, 1.0, False), (0.01, 0.0, False)]
)
def test_held_at_floor(tmp_path, rate, floor, held):
    run = Run(tmp_path, result(rate=rate, floor=floor))
    assert run.held_at_floor is held
    assert ("held at its floor" in run.collapse) is held


def test_counts_by_value(sweep):
    said = words(sweep(result("full", 0.0, beta=4), result("partial", 2.0, beta=1), result("none", 4.0, beta=1)))
    assert (
        "3 runs: 1 collapsed (the decoder ignores z), 1 with some dimensions unused, 1 with all dimensions used."
        in said
    )
    assert "beta = 4: 1 of 1 collapsed, mean KL 0.00; 1: 0 of 2 collapsed, mean KL 3.00." in said
    assert "An unused dimension is not a fault" in said


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
    texts = ((directory / f"{name}.csv").read_text().splitlines() for name in ("summary", "settings"))
    summary, settings = (list(csv.DictReader(text)) for text in texts)
    assert len(summary) == 6
    assert [row["beta"] for row in settings] == ["4", "1"]
    assert settings[0]["seeds"] == settings[0]["collapse_full"] == "3"
    assert float(settings[1]["test/rate/median"]) == 3.0


def test_what_cannot_be_read_is_skipped_by_name(sweep, capsys):
    directory = sweep(result(beta=1))
    (directory / "broken").mkdir()
    (directory / "broken" / "result.json").write_text('{"status": "fin')
    (directory / "old").mkdir()
    (directory / "old" / "result.json").write_text('{"status": "finished"}')
    assert finish(directory) == ""
    said = capsys.readouterr().out
    assert "skipped broken: result.json is broken: Input data was truncated" in said
    assert "skipped old: result.json has format 1, written by an older vae_lab; this one reads format 2" in said


def test_jobs_that_have_not_started_are_counted(sweep, capsys):
    directory = sweep(result(beta=1))
    SweepRecord(swept=["beta"], arguments=[], started="2026-01-01", jobs=["run0", "run1", "run2"]).write(directory)
    finish(directory)
    assert "2 of 3 runs have not started." in capsys.readouterr().out


def test_mutual_information_near_its_ceiling_is_a_lower_bound(tmp_path):
    assert cell(Run(tmp_path, result(rate=3.0)), "MI") == "2.70"
    assert cell(Run(tmp_path, result(rate=5.5)), "MI") == "≥ 4.95"


def test_the_linear_prediction_stands_where_there_is_one(sweep, capsys):
    finish(sweep(replace(result(a=1), linear_rate=1.547), result(a=2)))
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in printed.splitlines()[4:6]}
    assert rows["1"][-3] == "1.55"
    assert rows["2"][-3] == "-"
    assert "linear KL is the rate of a linear VAE on these data" in printed
    assert "linear KL" not in content([Run(Path("nowhere"), result(a=2))], ["a"]).headings


def collapsed_sweep(sweep):
    """Two collapsed runs of one cause, and a healthy one."""
    starved = [
        replace(result("full", 0.0, beta=4, eps=eps), objective=objective(effective_beta=4.0, spectrum=[3.0]))
        for eps in (0, 1)
    ]
    return sweep(*starved, result(beta=1, eps=0))


def terminal(monkeypatch, width):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((width, 24)))


def test_causes_are_numbered_notes(sweep, capsys):
    finish(collapsed_sweep(sweep))
    printed = capsys.readouterr().out
    assert printed.count("full [1]") == 2
    assert "\n[1] cause: β = 4 is too large: the linear limit of these data is 3\n" in printed
    assert "[2]" not in printed


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_a_terminal_shows_what_fits_and_says_what_does_not(sweep, monkeypatch, capsys, width):
    directory = collapsed_sweep(sweep)
    terminal(monkeypatch, width)
    finish(directory)
    printed = capsys.readouterr().out
    table = printed.partition("\n\n[1]")[0]
    assert max(map(len, table.splitlines())) <= width
    assert "…" not in printed
    for heading in ("beta", "eps", "KL (rate)", "collapse"):
        assert heading in table
    headings = content(Sweep.read(directory).runs, ["beta", "eps"]).headings
    *_, left_out = printed.partition("not shown, but in summary.csv:")
    left_out = left_out.partition("\n\n")[0].replace("\n", " ")
    for heading in headings:
        assert (heading in left_out) != (set(heading.split()) <= set(table.split()))


def test_over_several_seeds_extents_go_below_their_figure_where_the_terminal_is_narrow(sweep, monkeypatch, capsys):
    directory = sweep(*seeds("full", beta=4), *seeds("none", beta=1))
    finish(directory)
    assert "3.00 [3.00, 3.00]" in capsys.readouterr().out
    terminal(monkeypatch, 60)
    finish(directory)
    narrow = capsys.readouterr().out
    table = narrow.partition("\n\nnot shown, but in settings.csv: seeds, ELBO")[0]
    assert all(heading in table for heading in ("beta", "KL (rate)", "MI", "shuffle", "collapse"))
    assert "3.00 [" not in table
    assert "  [3.00, 3.00]" in table


def test_columns_leave_by_rank():
    table = Content(["a", "b", "c", "d"], [["1", "2" * 20, "3", "4"]], ranks=[0, 3, 4, 0])
    assert table.fitting(1000) == (table, [])
    narrow, left_out = table.fitting(20)
    assert narrow.headings == ["a", "c", "d"]
    assert left_out == ["b"]
    assert narrow.rows == [["1", "3", "4"]]
    assert table.fitting(1)[0].headings == ["a", "d"]


def test_zero_has_no_minus():
    assert rounded(-0.001) == "0.00"
    assert rounded(-0.01) == "-0.01"


def test_absence_is_a_value_of_its_own(sweep):
    """A run with a setting and one without it are two settings, not two seeds of one."""
    read = Sweep.read(sweep(result(encoder="mine", seed=1), result(seed=5)))
    assert "encoder" in read.keys
    assert len(settings_of(read.runs, read.keys)) == 2


def test_settings_of_unequal_length_prevent_nothing(sweep):
    after = [replace(one, steps=999) for one in seeds("none", eps=0.25)]
    assert "prevented" not in words(sweep(*seeds("full", eps=0), *after))


@pytest.mark.parametrize(
    ("equal_epochs", "verdict"),
    [((3.0, 0.1), "The number of steps explains the difference"), ((3.0, 2.4), "The batch size explains more")],
)
def test_equal_steps_beside_equal_epochs_say_which_explains(sweep, equal_epochs, verdict):
    def one(rate, epochs, batch, steps):
        return replace(result(rate=rate, steps=steps), overrides={"epochs": epochs, "data.batch_size": batch})

    steady = (one(3.0, None, 16, 1000), one(2.5, None, 512, 1000))
    said = words(sweep(*steady, one(equal_epochs[0], 20, 16, 1000), one(equal_epochs[1], 20, 512, 40)))
    assert "at equal steps: 3.00 (batch 16, 1000 steps) and 2.50 (batch 512, 1000 steps)" in said
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
    found = Sweep.read(sweep(*runs)).runs
    assert matched(settings_of(found, ["model", "beta"]), "model", 2.0) == {"vae": 20.0, "bn_vae": None}


def test_baseline_belongs_to_every_method(sweep):
    ends = {"none": (0.0, 20.0), "a": (2.0, 18.0), "b": (1.0, 20.0)}
    runs = [result(rate=rate, distortion=distortion, remedy=remedy) for remedy, (rate, distortion) in ends.items()]
    found = settings_of(Sweep.read(sweep(*runs)).runs, ["remedy"])
    assert matched(found, "remedy", 1.5, baseline="none") == {"a": 18.5, "b": None}


def test_tables_as_markdown_and_latex():
    rows = [["1", "3.00", "σ² = 1 & 50%"], ["4", "≥ 0.00", "x_y"]]
    table = Content(["β", "KL (rate)", "cause"], rows, notes=["cause: β"])
    assert table.markdown().splitlines() == [
        "| β | KL (rate) | cause |",
        "| ---: | ---: | --- |",
        "| 1 | 3.00 | σ² = 1 & 50% |",
        "| 4 | ≥ 0.00 | x_y |",
        "",
        "[1] cause: β",
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
        "",
        r"[1] cause: $\beta$",
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


def test_a_killed_run_is_told_from_one_that_runs(sweep, capsys):
    killed = Process(pid=2**22 + 1, began="", host=Process.this().host)
    running = [
        replace(result(status="running", a=a), process=process) for a, process in ((1, killed), (2, Process.this()))
    ]
    assert finish(sweep(result(a=0), *running)) == "1 of 3 runs failed: run1"
    printed = capsys.readouterr().out
    assert "1 stopped (the process is gone):\n  run1: stopped at step 0" in printed
    assert "1 running:\n  run2: at step 0" in printed


def test_the_summary_says_how_much_collapsed_and_names_what_cannot_be_read(sweep, capsys):
    directory = sweep(result("partial", a=1), result("full", a=2), result("none", a=3), result(a=4))
    (directory / "run2" / "metrics.csv").write_text("epoch,val/rate\n1,2\n")
    (directory / "run3" / "result.json").write_text('{"status": "fin')
    assert finish(directory) == ""
    with (directory / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["collapse"] for row in rows] == ["1 of 2 unused", "full", "none", ""]
    assert rows[2]["reason"] == "metrics.csv has no column step"
    assert (rows[3]["run"], rows[3]["status"]) == ("run3", "unreadable")
    assert rows[3]["reason"].startswith("result.json is broken")
    assert "run2: metrics.csv has no column step; no cause is looked for" in capsys.readouterr().out


def with_figures(one, **figures):
    return replace(one, metrics={**one.metrics, **{f"test/{name}": value for name, value in figures.items()}})


def test_mutual_information_near_its_ceiling_is_a_bracket_where_both_sides_are_known(tmp_path, sweep):
    run = Run(tmp_path, with_figures(result(rate=9.0), mutual_information=5.41, mutual_information_upper=8.12))
    assert (cell(run, "MI"), cell(run, "prior gap")) == ("5.41 to 8.12", "0.88 to 3.59")
    table = content(Sweep.read(sweep(*[with_figures(one, mutual_information=5.41, mutual_information_upper=8.12)
                                       for one in seeds("none", rate=9.0, a=1)])).runs, ["a"])  # fmt: skip
    assert table.rows[0][table.headings.index("MI")] == "5.41 to 8.12"
    below = Run(tmp_path, with_figures(result(rate=3.0), mutual_information=2.0, mutual_information_upper=2.5))
    assert cell(below, "MI") == "2.00"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (["mass", "mass"], ""),
        ([None, "density"], ""),
        (
            ["mass", "density"],
            "mix probabilities (Bernoulli) and densities (Bernoulli). Compare them within one kind only",
        ),
        (
            ["density", "cross-entropy", "mass"],
            "mix densities (Bernoulli), cross-entropies of grey values (Bernoulli) and",
        ),
    ],
)
def test_elbos_that_do_not_compare_are_pointed_out(sweep, scores, expected):
    runs = [replace(result(a=i), objective=objective(effective_beta=1.0, scores=kind)) for i, kind in enumerate(scores)]
    said = words(sweep(*runs))
    assert expected in said
    assert bool(expected) == ("The columns ELBO and distortion mix" in said)


def test_bits_per_dimension_stand_where_all_are_masses(sweep):
    masses = [replace(result(a=a), objective=objective(effective_beta=1.0, scores="mass")) for a in (1, 2)]
    table = content([Run(Path("none"), one) for one in masses], ["a"])
    assert table.rows[0][table.headings.index("bits/dim")] == "0.518"  # 23 / (64 ln 2)
    other = replace(masses[0], objective=objective(effective_beta=1.0, scores="density"))
    assert "bits/dim" not in content([Run(Path("none"), one) for one in (*masses, other)], ["a"]).headings


def test_values_of_any_length_and_kind_stay_in_their_row(sweep, monkeypatch, capsys):
    paths = ("/data/" + "a/" * 60 + "faces.npz", "/数据/脸/训练集.npz", "a\nb\x1b[31m\u202ex")
    directory = sweep(*[result(**{"data.path": path}) for path in paths])
    terminal(monkeypatch, 80)
    finish(directory)
    printed = capsys.readouterr().out
    table = printed.partition("not shown")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "/data/a/...a/a/faces.npz" in table
    assert "a\\nb\\x1b[31m\\u202ex" in table
    assert not {"\x1b", "\u202e"} & set(printed)
    for heading in ("ELBO", "KL (rate)", "MI", "collapse"):
        assert heading in table


def test_values_that_differ_only_in_their_middle_are_not_cut():
    from vae_lab.report.table import shortened

    alike = ["same-beginning-" + middle + "-and-the-same-end-of-it" for middle in "xy"]
    assert shortened(alike) == alike


def test_where_no_run_finished_there_are_no_columns_of_dashes():
    results = (result(status="failed", a=1), result(status="diverged", a=2))
    table = content([Run(Path("nowhere"), each) for each in results], ["a"])
    assert table.headings == ["a", "seconds", "collapse"]


def test_a_table_that_cannot_be_written_is_a_line(sweep, monkeypatch, capsys):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "summary.csv")

    monkeypatch.setattr("vae_lab.report.show.write_csv", full)
    assert finish(sweep(result(a=1), result(a=2))) == ""
    assert "tables not written: No space left on device: summary.csv" in capsys.readouterr().out
