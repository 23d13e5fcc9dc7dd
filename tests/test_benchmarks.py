"""The benchmarks run on data that travel with the library."""

import json
import re
import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MONITORING, PAGE, SIDE_BY_SIDE, STACKED = (
    BENCHMARKS / f"{name}.py" for name in ("monitoring", "page", "side_by_side", "stacked")
)


def test_monitoring_prints_a_share_for_each_part(capsys):
    runpy.run_path(str(MONITORING))["main"](["--steps", "20", "--hidden", "16", "--latent-dim", "3"])
    printed = capsys.readouterr().out
    parts = ("training alone", "validation", "val/MutualInformation", "checkpoints", "end of the run", "test/SSIM")
    for part in parts:
        assert re.search(rf"^ *{part} +\d+\.\d\d s +\d+\.\d %", printed, re.MULTILINE), part
    assert "20 steps" in printed
    assert "10 passes" in printed


def test_page_prints_its_size_and_its_times(tmp_path, capsys):
    options = ["--runs", "12", "--points", "5", "--curves", "2", "--keep", str(tmp_path / "sweep")]
    runpy.run_path(str(PAGE))["main"](options)
    printed = capsys.readouterr().out
    assert f"page: {tmp_path / 'sweep' / 'report.html'}" in printed
    assert re.search(r"^made in \d+\.\d s", printed, re.MULTILINE)
    assert re.search(r"^0\.\d\d MB for 12 runs$", printed, re.MULTILINE)
    assert "first contentful paint after" in printed or "no Chromium" in printed


def test_runs_stand_side_by_side(trained, tmp_path, capsys):
    file = tmp_path / "pictures.png"
    runpy.run_path(str(SIDE_BY_SIDE))["main"]([str(file), f"one:{trained}", f"other:{trained}", "--images", "4"])
    assert file.stat().st_size > 1000 and str(file) in capsys.readouterr().out


@pytest.mark.slow
def test_stacked_prints_ratios_and_writes_them(tmp_path, capsys):
    options = ["--small", "--threads", "1", "--results", str(tmp_path), "hydra.launcher.always=true"]
    runpy.run_path(str(STACKED))["main"](options)
    printed = capsys.readouterr().out
    assert re.search(r"processor: basic .* s, stacked .* s; stacked is \d+\.\d\d times as fast", printed)
    found = json.loads((tmp_path / "stacked_digits_cpu.json").read_text())
    assert set(found["step"]) == {"1", "2"}
    assert found["launchers"]["clock ratio"] > 0
