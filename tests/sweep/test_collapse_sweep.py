"""The main job whole: 24 runs, what they must show, and how long they take."""

import csv
import json
import subprocess
import sys
import time
from statistics import mean

import pytest


@pytest.mark.slow
def test_collapse_sweep_shows_what_it_must(tmp_path):
    began = time.monotonic()
    command = [sys.executable, "-m", "vae_lab", "+experiment=collapse_sweep", "-m"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    print(f"{time.monotonic() - began:.0f} s")
    (sweep,) = (tmp_path / "multirun").iterdir()
    runs = [json.loads(path.read_text()) for path in sweep.glob("*/result.json")]
    with (sweep / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(runs) == 24
    assert all(run["status"] == "finished" and run["steps"] == 1200 for run in runs)
    verdicts = {run["verdict"] for run in runs}
    assert "none" in verdicts
    assert verdicts & {"full", "partial"}

    def rate(key, value):
        return mean(run["metrics"]["test/rate"] for run in runs if run["overrides"][key] == value)

    assert rate("free_bits.epsilon", 0.25) > rate("free_bits.epsilon", 0)
    assert rate("model.beta", 4) < rate("model.beta", 0.5)
