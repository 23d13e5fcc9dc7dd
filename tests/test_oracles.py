"""The tables of docs/oracles.md: what the metrics measure where the answer is known."""

import re
import runpy
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("oracles.py")
PAGE = Path(__file__).parents[1] / "docs" / "oracles.md"
NUMBER = re.compile(r"-?\d+\.\d+")


def test_metrics_measure_what_is_known():
    for metric, case, expected, measured, within in runpy.run_path(str(PROGRAM))["others"]():
        assert measured == pytest.approx(expected, abs=within), (metric, case)


@pytest.mark.slow
def test_the_page_shows_what_the_program_prints(capsys):
    runpy.run_path(str(PROGRAM))["main"]()
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for line, other in zip(shown, printed, strict=True):
        assert NUMBER.sub("", line) == NUMBER.sub("", other)
        assert list(map(float, NUMBER.findall(line))) == pytest.approx(
            list(map(float, NUMBER.findall(other))), abs=0.03
        )
