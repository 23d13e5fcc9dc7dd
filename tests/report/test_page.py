"""The page of a sweep as a file: what it holds, what it escapes, and what becomes of it where it cannot be made."""

import errno
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vae_lab.report.page.curves import packed, points_allowed, thinned
from vae_lab.report.page.gather import gather
from vae_lab.report.page.render import SCRIPTS, asset, render
from vae_lab.report.page.theory import line, lines
from vae_lab.report.page.titles import title_of, unit_of
from vae_lab.report.page.write import PAGE, write_page
from vae_lab.report.show import finish
from vae_lab.report.words import sentences
from vae_lab.runs.curves import Curve, CurveFile
from vae_lab.runs.result import Objective, Result, Theory
from vae_lab.runs.run import Run
from vae_lab.runs.sweep import Sweep, SweepRecord
from vae_lab.standalone import UNSAFE, digest, one_script

EVIL = '</script><script>document.title="run"</script>"\'&\u2028'


def result(verdict="none", rate=3.0, *, status="finished", seed=0, **overrides):
    finished = status == "finished"
    metrics = {"test/elbo": -20 - rate, "test/rate": rate, "test/distortion": 20.0, "test/shuffle_gap": 3.0}
    metrics |= {"test/mutual_information": rate, "test/rate_dim": [0.0, rate]}
    return Result(
        status=status, reason=None if finished else "because", seed=seed, overrides=overrides, latent_dim=2, unused=1,
        metrics=metrics if finished else {}, verdict=verdict if finished else None, steps=20, seconds=1.5,
    )  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep directory of results, each with two points of its KL."""

    def make(*results, names=()):
        for i, outcome in enumerate(results):
            run = tmp_path / "sweep" / (names[i] if names else f"run{i}")
            run.mkdir(parents=True)
            replace(outcome, started=f"2026-01-01T00:00:{i:02d}").write(run)
            file = CurveFile(run)
            file.append(9, {"val/rate": 1.0 + i, "val/elbo": -20.0, "val/rate_dim/00": 0.5, "coef/kl_weight": 1.0})
            file.append(19, {"val/rate": 2.0 + i, "val/elbo": float("nan"), "epoch": 1})
        return tmp_path / "sweep"

    return make


def page_of(directory):
    return gather(Sweep.read(directory), directory)[0]


def html_of(directory):
    return render(*gather(Sweep.read(directory), directory))


def data_in(html):
    return json.loads(re.search(r'id="data">(.*?)</script>', html)[1])


def test_the_end_of_a_sweep_leaves_page_and_pictures(sweep, capsys):
    pytest.importorskip("matplotlib")
    directory = sweep(result(beta=1), result("full", 0.0, beta=4))
    assert finish(directory) == ""
    assert f"\npage: {directory / PAGE}\n" in capsys.readouterr().out
    for name in ("kl_curves.png", "rate_distortion.png"):
        assert (directory / name).read_bytes().startswith(b"\x89PNG")
    assert (directory / PAGE).read_text().startswith("<!doctype html>")


def test_the_words_of_the_report_stand_at_the_top(sweep):
    directory = sweep(result(beta=1), result("full", 0.0, beta=4), result(beta=2, status="diverged"))
    read = Sweep.read(directory)
    said = [line for chapter in page_of(directory).chapters for line in chapter.lines]
    assert set(sentences(read.runs, read.keys)) <= set(said)
    body = html_of(directory).partition('<form id="filters"')[0]
    assert "3 runs" in body and "run2: because" in body


def test_what_cannot_be_read_and_what_has_not_begun_are_named(sweep):
    directory = sweep(result(beta=1))
    (directory / "torn").mkdir()
    (directory / "torn" / "result.json").write_text('{"status": "fin')
    SweepRecord(swept=["beta"], arguments=[], started="2026", jobs=["run0", "run1"]).write(directory)
    unfinished = next(chapter for chapter in page_of(directory).chapters if chapter.title == "What did not finish")
    assert any(line.startswith("skipped torn: result.json is broken") for line in unfinished.lines)
    assert "1 of 2 runs have not started." in unfinished.lines


def test_a_sweep_without_any_finished_run_has_a_page(sweep):
    directory = sweep(result(beta=1, status="failed"), result(beta=2, status="running"))
    page = page_of(directory)
    assert [run.reason for run in page.runs] == ["because", "at step 20"]
    assert page.figures == [] and page.theory == []
    assert finish(directory) == "1 of 2 runs failed: run0"
    assert (directory / PAGE).is_file()


def test_runs_of_different_figures_stand_side_by_side(sweep):
    one, other = result(a=1), result(a=2)
    other = replace(other, metrics={**other.metrics, "test/my_score": 7.0, "test/nll": 21.0})
    page = page_of(sweep(one, other))
    names = [figure.name for figure in page.figures]
    assert [run.numbers[names.index("my_score")] for run in page.runs] == [None, 7.0]
    assert page.figures[names.index("my_score")].title == "my score"


def test_nothing_from_a_config_ends_an_element(sweep):
    directory = sweep(result(**{"data.path": EVIL}), result(**{"data.path": "b"}), names=("<script>alert(1)<", "b"))
    html = html_of(directory)
    assert html.count("<script") == html.count("</script>") == 4
    assert "<script>alert" not in html
    runs = data_in(html)["runs"]
    assert runs[0]["name"] == "<script>alert(1)<"
    assert runs[0]["label"] == f"path={EVIL[:-1]}\\u2028"
    assert not set(re.search(r'id="data">(.*?)</script>', html)[1]) & set(UNSAFE)


def test_nothing_is_fetched_and_only_our_scripts_may_run(sweep):
    html = html_of(sweep(result(a=1), result(a=2)))
    assert not re.search(r'(src|href)="(?!data:,)', html)
    assert "@import" not in html and "url(" not in html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'; ")
    program = one_script(asset(f"js/{name}.js") for name in SCRIPTS)
    assert f"'{digest(program)}'" in policy
    assert "unsafe" not in policy


def test_the_chart_library_comes_with_its_licence(sweep):
    assert "Copyright (c) 2022 Leon Sorokin" in html_of(sweep(result(a=1)))


def test_curves_travel_as_float32_with_their_steps_once():
    curves = [
        {"val/rate": Curve([9, 19], [1.5, 2.5]), "val/rate_dim/03": Curve([9], [1.0]), "epoch": Curve([9], [0.0])}
    ]
    curves += [{"val/rate": Curve([9, 19], [3.5, float("nan")]), "coef/kl_weight": Curve([9], [0.25])}]
    index, block = packed(curves)
    assert [name.name for name in index.names] == ["val/rate", "coef/kl_weight"]
    assert (index.steps, index.runs, index.most) == ([2, 1], [[0, -1], [0, 1]], None)
    assert np.frombuffer(block, "<u4", 3).tolist() == [9, 19, 9]
    np.testing.assert_array_equal(np.frombuffer(block, "<f4", offset=12), np.float32([1.5, 2.5, 3.5, np.nan, 0.25]))


def test_long_curves_are_thinned_and_short_ones_are_not():
    long, short = Curve([*range(1000)], [float(i) for i in range(1000)]), Curve([5, 6], [1.0, 2.0])
    index, block = packed([{"val/rate": long, "val/elbo": short}], most_values=102)
    assert index.most == 100
    assert sorted(index.steps) == [2, 100]
    steps = np.frombuffer(block, "<u4", 100)
    assert (steps[0], steps[-1]) == (0, 999)
    assert points_allowed([10, 10], 20) is None
    assert thinned(5, None).tolist() == thinned(5, 9).tolist() == [0, 1, 2, 3, 4]


def test_a_curve_that_cannot_be_read_leaves_the_others(sweep):
    directory = sweep(result(a=1), result(a=2))
    (directory / "run0" / "metrics.csv").write_text("step,val/rate\n1,x\n")
    page = page_of(directory)
    assert [max(places) for places in page.curves.runs] == [-1, 1]
    assert "metrics.csv is broken in line 2" in page.runs[0].reason


def test_numbers_are_ordered_as_numbers_and_words_as_they_come(sweep):
    runs = [result(beta=beta, data=data) for beta, data in ((10, "mnist"), (9.5, "digits"), (None, "mnist"))]
    beta, data = page_of(sweep(*runs)).keys
    assert (beta.values, beta.numbers) == (["9.5", "10", "null"], [9.5, 10.0, None])
    assert (data.values, data.numbers) == (["mnist", "digits"], [None, None])


def test_a_run_has_its_difference_its_diagnosis_and_its_command(sweep):
    starved = Objective(model="BetaVAE", likelihood="Bernoulli", pixels=64, effective_beta=4.0, spectrum=[3.0])
    directory = sweep(replace(result("full", 0.0, beta=4, threads=1), objective=starved), result(beta=1, threads=1))
    (directory / "run0" / ".hydra").mkdir()
    (directory / "run0" / ".hydra" / "overrides.yaml").write_text("- model.beta=4\n- data.path='a b'\n")
    page = page_of(directory)
    run, other = page.runs
    assert run.settings == [("beta", "4")] and page.shared == [("threads", "1")]
    assert "β = 4 is too large" in run.cause and "(established)" in run.cause
    assert any("effective β" in name for name, _ in run.checks)
    commands = dict(run.commands)
    assert commands["Make it again"] == """python -m vae_lab model.beta=4 'data.path='"'"'a b'"'"''"""
    assert commands["Diagnose it"] == f"python -m vae_lab.diagnose run={directory / 'run0'}"
    assert "Make it again" not in dict(other.commands)


def test_pictures_are_linked_from_the_page(sweep):
    directory = sweep(result(a=1), names=("a=1,b=?#",))
    (directory / "a=1,b=?#" / "figures").mkdir()
    for name in ("manifold_grid.png", "film.gif", "notes.txt"):
        (directory / "a=1,b=?#" / "figures" / name).touch()
    pictures = page_of(directory).runs[0].pictures
    assert pictures == [
        ("film", "a%3D1%2Cb%3D%3F%23/figures/film.gif"),
        ("manifold grid", "a%3D1%2Cb%3D%3F%23/figures/manifold_grid.png"),
    ]


def test_names_that_are_no_text_are_shown_and_linked(sweep):
    directory = sweep(result(a=1), names=(os.fsdecode(b"run\xff"),))
    run = page_of(directory).runs[0]
    assert (run.name, run.folder) == ("run\\udcff", "run%FF")
    assert "run\\udcff" in dict(run.commands)["Diagnose it"]
    assert html_of(directory).encode()


def test_the_theory_goes_through_the_optimum_of_each_run():
    eigenvalues = [4.0, 2.0, 1.0, 0.1]
    from vae_lab.linear_theory.linear_vae import LinearVAE

    optima = [LinearVAE(np.array(eigenvalues), 0.3, beta, 3).fill(beta) for beta in (0.5, 2.0)]
    theories = [
        Theory(rate_dim=best.rates.tolist(), distortion=best.distortion, collapsed=0, squared_error=0.0, variance=0.3,
               eigenvalues=eigenvalues, exact=True) for best in optima
    ]  # fmt: skip
    found = line(theories)
    for best in optima:
        at = np.interp(best.rates.sum(), found.rates, found.distortions)
        assert at == pytest.approx(best.distortion, abs=0.02)
    assert found.rates[0] == 0.0
    flat = replace(result(a=1), theory=replace(theories[0], eigenvalues=[0.0, 0.0]))
    assert lines([Run(Path("flat"), flat)]) == []


def test_without_matplotlib_there_is_a_page_and_a_line(sweep, monkeypatch, capsys):
    for module in ("vae_lab.figures.sweep_curves", "vae_lab.figures.sweep_plane", "vae_lab.figures.sweep_style"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    directory = sweep(result(a=1), result(a=2))
    finish(directory)
    assert "\nno pictures: matplotlib is not installed; pip install 'vae_lab[figures]'\n" in capsys.readouterr().out
    assert (directory / PAGE).is_file()


def test_a_full_disk_costs_the_page_and_nothing_else(sweep, monkeypatch, capsys):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("vae_lab.report.page.write.put_whole", full)
    directory = sweep(result(a=1), result(a=2))
    assert finish(directory) == ""
    said = capsys.readouterr().out
    assert f"page not written: No space left on device: {directory / PAGE}" in said
    assert "table: " in said


def test_values_of_any_kind_are_drawn(sweep, capsys):
    pytest.importorskip("matplotlib")
    directory = sweep(*[result(path=path) for path in ("$x^{", "_hidden", "数据", "a\nb")])
    finish(directory)
    assert "not written" not in capsys.readouterr().out
    assert (directory / "rate_distortion.png").is_file()


def test_several_sweeps_share_a_page(tmp_path, monkeypatch, capsys):
    from vae_lab.console import read_command_line
    from vae_lab.report.__main__ import main

    for name, beta in (("first", 1), ("second", 4)):
        for i in range(2):
            (tmp_path / name / f"run{i}").mkdir(parents=True)
            result(beta=beta, seed=i).write(tmp_path / name / f"run{i}")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    main(read_command_line(["sweep=../first,../second"]))
    assert "\npage: report.html\n" in capsys.readouterr().out
    data = data_in((tmp_path / "here" / PAGE).read_text())
    assert data["title"] == "first and second"
    assert [key["key"] for key in data["keys"]] == ["sweep", "beta"]
    assert [run["label"] for run in data["runs"][::2]] == ["sweep=first, beta=1", "sweep=second, beta=4"]
    assert data["runs"][0]["folder"] == "../first/run0"


def test_a_run_alone_has_a_page(sweep):
    page = page_of(sweep(result(a=1)))
    assert (page.keys, page.shared) == ([], [])
    assert page.runs[0].label == "run0" and page.runs[0].settings == [("a", "1")]
    assert page.runs[0].rates == [3.0, 0.0]


def test_every_curve_has_a_name_and_a_unit_where_it_is_known():
    assert (title_of("train/mutual_information"), unit_of("train/mutual_information")) == (
        "mutual information",
        "nats per image",
    )
    assert (title_of("val/my_score"), unit_of("val/my_score")) == ("my score", "")
    assert (title_of("coef/free_bits"), unit_of("coef/free_bits")) == ("free bits ε", "nats")


def test_the_page_replaces_the_one_before(sweep):
    directory = sweep(result(a=1), result(a=2))
    (directory / PAGE).write_text("old")
    assert write_page(Sweep.read(directory), directory) == f"page: {directory / PAGE}"
    assert "old" not in (directory / PAGE).read_text()[:10]
    assert not list(Path(directory).glob(".report*"))
