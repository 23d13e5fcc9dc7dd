"""A sweep directory: its record, its runs in order, and what cannot be read."""

import json
from dataclasses import replace

import pytest

from vae_lab.runs.result import NEEDED, Result
from vae_lab.runs.sweep import Sweep, SweepRecord

RECORD = SweepRecord(swept=["model.beta", "seed"], arguments=["-m"], started="2026-01-01", jobs=["b", "a", "c"])


def run(sweep, name, **known):
    (sweep / name).mkdir()
    whole = {"verdict": "full", "metrics": {f"test/{figure}": 0.0 for figure in NEEDED}}
    Result(**{"status": "finished", "seed": 0, **whole, **known}).write(sweep / name)


def test_runs_stand_in_the_order_of_the_jobs(tmp_path):
    RECORD.write(tmp_path)
    for name, started in (("a", "1"), ("b", "2"), ("later", "4"), ("other", "3")):
        run(tmp_path, name, started=started)
    sweep = Sweep.read(tmp_path)
    assert [found.name for found in sweep.runs] == ["b", "a", "other", "later"]
    assert sweep.waiting == 1
    assert sweep.skipped == []


def test_keys_are_those_declared_and_those_that_differ_with_the_seed_last(tmp_path):
    RECORD.write(tmp_path)
    run(tmp_path, "a", overrides={"data": "digits", "model": "vae", "seed": 0})
    run(tmp_path, "b", overrides={"data": "digits", "seed": 0})
    assert Sweep.read(tmp_path).keys == ["model.beta", "model", "seed"]


def test_what_cannot_be_read_is_named_and_the_rest_is_there(tmp_path):
    replace(RECORD, format=3).write(tmp_path)
    run(tmp_path, "a")
    run(tmp_path, "new", format=3)
    sweep = Sweep.read(tmp_path)
    assert [found.name for found in sweep.runs] == ["a"]
    assert [str(skipped) for skipped in sweep.skipped] == [
        "sweep.json has format 3, written by a newer vae_lab; this one reads format 2",
        "new: result.json has format 3, written by a newer vae_lab; this one reads format 2",
    ]
    assert (sweep.record, sweep.waiting) == (None, 0)


def test_a_directory_without_a_record_is_a_sweep_too(tmp_path):
    run(tmp_path, "a")
    sweep = Sweep.read(tmp_path)
    assert (sweep.record, len(sweep.runs), sweep.skipped) == (None, 1, [])


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("test/shuffle_gap", "result.json lacks test/shuffle_gap"),
        ("verdict", "result.json lacks verdict"),
        ("seed", "result.json is broken: Object missing required field `seed`"),
    ],
)
def test_a_result_that_lacks_a_field_is_named_and_the_rest_is_there(tmp_path, field, problem):
    run(tmp_path, "a")
    run(tmp_path, "b")
    content = json.loads((tmp_path / "a" / "result.json").read_text())
    (content["metrics"] if "/" in field else content).pop(field)
    (tmp_path / "a" / "result.json").write_text(json.dumps(content))
    sweep = Sweep.read(tmp_path)
    assert [found.name for found in sweep.runs] == ["b"]
    assert sweep.skipped == [("a", problem)]


def test_figures_of_another_length_than_the_latent_are_refused(tmp_path):
    metrics = {f"test/{figure}": 0.0 for figure in NEEDED}
    run(tmp_path, "a", latent_dim=2, metrics=metrics | {"test/shuffle_gap_dim": [1.0]})
    run(tmp_path, "b", latent_dim=1, metrics=metrics | {"test/shuffle_gap_dim": [1.0]})
    assert [skipped.problem for skipped in Sweep.read(tmp_path).skipped] == [
        "result.json has test/shuffle_gap_dim of another length than latent_dim=2",
        "result.json lacks test/shuffle_gap_dim_se",
    ]
