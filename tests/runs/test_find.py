"""The directory that a person names, and the newest one."""

import os

import pytest

from vae_lab.runs.find import find_run, find_sweep
from vae_lab.runs.result import Result
from vae_lab.runs.sweep import SweepRecord


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(directory, age, **known):
    directory.mkdir(parents=True)
    Result(**{"status": "finished", "seed": 0, **known}).write(directory)
    os.utime(directory / "result.json", (1000 - age, 1000 - age))


def test_latest_is_the_newest_finished_run_that_can_be_read(tmp_path):
    run(tmp_path / "outputs" / "new", 0, format=3)
    run(tmp_path / "outputs" / "failed", 1, status="failed")
    run(tmp_path / "multirun" / "sweep" / "good", 2)
    run(tmp_path / "outputs" / "old", 3)
    assert str(find_run("latest")) == "multirun/sweep/good"


def test_latest_says_what_could_not_be_read(tmp_path):
    run(tmp_path / "outputs" / "new", 0, format=3)
    with pytest.raises(
        ValueError, match=r"no finished run in .*\(outputs/new: result.json has format 3, written by a ne"
    ):
        find_run("latest")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 1}', "result.json has format 1, written by an older"),
        ("{", "result.json is broken: Input data was"),
    ],
)
def test_a_run_that_cannot_be_read_says_why(tmp_path, content, words):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(ValueError, match=words):
        find_run(str(tmp_path))


def test_a_sweep_is_no_run_and_names_one(tmp_path):
    run(tmp_path / "mine" / "a", 0)
    with pytest.raises(ValueError, match=r"run=mine: holds no result.json, .*; it is a sweep, .* such as mine/a"):
        find_run("mine")


def test_latest_sweep(tmp_path):
    run(tmp_path / "multirun" / "sweep" / "a", 0)
    SweepRecord(swept=[], arguments=[], started="2026-01-01", jobs=["a"]).write(tmp_path / "multirun" / "sweep")
    assert str(find_sweep("latest")) == "multirun/sweep"
    with pytest.raises(ValueError, match="sweep=nowhere: holds no runs"):
        find_sweep("nowhere")
