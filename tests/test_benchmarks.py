"""The benchmarks run on data that travel with the library."""

import re
import runpy
from pathlib import Path

MONITORING = Path(__file__).parents[1] / "benchmarks" / "monitoring.py"


def test_monitoring_prints_a_share_for_each_part(capsys):
    runpy.run_path(str(MONITORING))["main"](["--steps", "20", "--hidden", "16", "--latent-dim", "3"])
    printed = capsys.readouterr().out
    parts = ("training alone", "validation", "val/MutualInformation", "checkpoints", "end of the run", "test/SSIM")
    for part in parts:
        assert re.search(rf"^ *{part} +\d+\.\d\d s +\d+\.\d %", printed, re.MULTILINE), part
    assert "20 steps" in printed
    assert "10 passes" in printed
