"""The benchmarks run on data that travel with the library, and their results make one table."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MEASURED = ("startup", "scale", "launchers", "stacked", "training", "breakdown", "monitor", "nll", "compiled", "gpu")


@pytest.fixture
def script(monkeypatch):
    """What a program of ``benchmarks/`` defines; the modules that it shares with others are forgotten afterwards."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield lambda name: runpy.run_path(str(BENCHMARKS / f"{name}.py"))
    for file in BENCHMARKS.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.fixture
def kept(script, tmp_path):
    """Takes a measurement named ``one`` of a program, startup, and gives how often it has been taken."""
    results, taken = script("results"), []

    def take(rounds):
        taken.append(rounds)
        return [results["Row"]("its seconds", 1.2345, at_most=1.0, note="of two")]

    def run(*options):
        one = results["Measurement"]("one", take, rounds=2)
        results["measure"]("startup", lambda _: [one], "", [*options, "--results", str(tmp_path)])
        return taken

    return run


def test_a_result_is_kept_with_its_machine(kept, tmp_path):
    assert kept() == [2]
    one = json.loads((tmp_path / "startup.json").read_text())["one"]
    assert one["rounds"] == 2 and one["machine"]["cores"] > 0
    assert one["rows"] == [
        {"what": "its seconds", "measured": 1.2345, "at_most": 1.0, "at_least": None, "note": "of two"}
    ]


def test_full_goes_on_with_what_is_missing(kept, tmp_path, capsys):
    kept("--full")
    assert kept("--full") == [2]
    assert "one: kept from" in capsys.readouterr().out
    assert kept("--full", "--rounds", "1") == [2]
    assert kept("--full", "--rounds", "3") == [2, 3]
    assert kept() == [2, 3, 2]


@pytest.mark.parametrize(("of", "key"), [(lambda one: one, "code"), (lambda one: one["machine"], "processor")])
def test_what_was_measured_of_other_code_or_elsewhere_is_measured_anew(kept, tmp_path, of, key):
    kept()
    file = tmp_path / "startup.json"
    found = json.loads(file.read_text())
    of(found["one"])[key] = "another"
    file.write_text(json.dumps(found))
    assert kept("--full") == [2, 2]


def test_small_sizes_are_not_kept(kept, tmp_path):
    kept("--small")
    assert not list(tmp_path.iterdir())


def test_one_table_of_all(kept, script, tmp_path, capsys):
    kept()
    of_startup = json.loads((tmp_path / "startup.json").read_text())["one"]
    of_startup["machine"] |= {"date": "2026-01-02T03:04:05+00:00", "processor": "Z80", "cores": 1, "load": 0.4}
    earlier = json.loads(json.dumps(of_startup))
    earlier["machine"] |= {"date": "2026-01-01T03:04:05+00:00", "load": 7.5}
    earlier["rows"][0] |= {"at_most": None, "at_least": 1.0}
    (tmp_path / "startup.json").write_text(json.dumps({"one": of_startup, "two": of_startup}))
    (tmp_path / "nll.json").write_text(json.dumps({"one": earlier}))
    capsys.readouterr()
    script("table")["main"](["--results", str(tmp_path)])
    printed, table = capsys.readouterr().out, (tmp_path / "table.md").read_text()
    assert re.search(r"^its seconds +1\.23 +≤ 1 +missed +of two$", printed, re.MULTILINE)
    assert "1 cores of Z80" in table and "2 January 2026 where no other date stands" in table
    assert table.count("| its seconds | 1.23 | ≤ 1, missed | of two |") == 2
    assert "| its seconds | 1.23 | ≥ 1 | of two; 1 January 2026; load 7.5 on 1 cores |" in table
    assert table.index("**Start-up**") < table.index("**Importance-weighted NLL**")


def test_breakdown_prints_a_share_for_each_part(script, capsys):
    script("breakdown")["main"](["--small"])
    printed = capsys.readouterr().out
    for part in ("training alone, ms a step", "validation", "checkpoints", "end of the run"):
        assert re.search(rf"^digits, 20 steps: {part}.* \d", printed, re.MULTILINE), part
    assert "10 passes" in printed and "MutualInformation" in printed


@pytest.mark.slow
@pytest.mark.parametrize("program", [name for name in MEASURED if name not in ("breakdown", "compiled")])
def test_each_program_runs_at_small_sizes(script, program, capsys):
    script(program)["main"](["--small"])
    assert re.search(r"^.+ \d", capsys.readouterr().out, re.MULTILINE)


def test_page_prints_its_size_and_its_times(script, tmp_path, capsys):
    options = ["--runs", "12", "--points", "5", "--curves", "2", "--keep", str(tmp_path / "sweep")]
    script("page")["main"](options)
    printed = capsys.readouterr().out
    assert f"page: {tmp_path / 'sweep' / 'report.html'}" in printed
    assert re.search(r"^made in \d+\.\d s", printed, re.MULTILINE)
    assert re.search(r"^0\.\d\d MB for 12 runs$", printed, re.MULTILINE)
    assert "first contentful paint after" in printed or "no Chromium" in printed


def test_runs_stand_side_by_side(script, trained, tmp_path, capsys):
    file = tmp_path / "pictures.png"
    script("side_by_side")["main"]([str(file), f"one:{trained}", f"other:{trained}", "--images", "4"])
    assert file.stat().st_size > 1000 and str(file) in capsys.readouterr().out
