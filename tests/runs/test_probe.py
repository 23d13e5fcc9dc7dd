"""``probe.json`` beside a run's own record: it is evidence, and never in the way."""

import os

import pytest

from vae_lab.runs.find import latest_run
from vae_lab.runs.probe import Probe
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import NEEDED, Objective, Result
from vae_lab.runs.run import Run

COLLAPSED = {f"test/{name}": 0.01 for name in NEEDED}


def make_run(directory, **result):
    directory.mkdir(parents=True)
    objective = Objective(model="VAE", likelihood="Bernoulli", pixels=64, effective_beta=1.0, plain_elbo=True)
    known = {"metrics": COLLAPSED, "verdict": "full", "objective": objective, "steps": 1500}
    Result(status="finished", seed=0, **known | result).write(directory)
    return directory


def make_probe(**more):
    known = {"steps": 1500, "first": "beta", "loss": 27.2, "seeds": [0, 1, 2], "losses": [27.2, 27.3, 27.1]}
    return Probe(**{**known, "verdicts": ["full"] * 3, "halfway": [2.0] * 3, **more})


def test_a_probe_becomes_evidence(tmp_path):
    run = make_run(tmp_path / "run")
    assert Run.read(run).cause.kind == "unknown"
    make_probe().write(run)
    assert Run.read(run).cause.kind == "objective"
    assert dict(Run.read(run).diagnosis.checks)["continuation"].startswith("from a small β")


def test_a_run_that_went_on_is_no_longer_the_one_that_was_probed(tmp_path):
    run = make_run(tmp_path / "run", steps=3000)
    make_probe().write(run)
    assert Run.read(run).probe is None
    assert Run.read(run).cause.kind == "unknown"


@pytest.mark.parametrize("content", [b"{", b'{"format": 7}', b'{"format": 1, "steps": "many"}'])
def test_a_broken_probe_is_said_and_nothing_is_diagnosed(content, tmp_path):
    run = make_run(tmp_path / "run")
    (run / "probe.json").write_bytes(content)
    assert Run.read(run).problem.startswith("probe.json ")
    assert Run.read(run).diagnosis is None


def test_lists_of_different_lengths_are_refused(tmp_path):
    make_probe(losses=[27.0]).write(tmp_path)
    with pytest.raises(RecordError, match=r"^probe\.json has lists of different lengths$"):
        Probe.read(tmp_path)


def test_the_latest_run_is_none_that_a_probe_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "outputs" / "run")
    for number, name in enumerate(("probe", "cure/round_1"), start=1):
        inner = make_run(run / name / "seed=0")
        os.utime(inner / "result.json", (2e9 + number, 2e9 + number))
    assert latest_run().name == "run"
    other = make_run(tmp_path / "outputs" / "probe" / "mine")  # only a folder of that name
    os.utime(other / "result.json", (3e9, 3e9))
    assert latest_run().name == "mine"
