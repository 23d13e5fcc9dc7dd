"""Where a run stands in its sweep: read from disk, whatever process asks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vae_lab.runs.process import Process
from vae_lab.runs.result import Result
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.record import Position, begin, duration, end

JOBS = [f"model.beta={beta}" for beta in range(12)]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A sweep of twelve jobs that began 30 seconds ago."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr("vae_lab.sweep.record.now", lambda: began)
    begin(tmp_path, JOBS, ["model.beta"], ["-m"])
    monkeypatch.setattr("vae_lab.sweep.record.now", lambda: began + timedelta(seconds=30))
    return tmp_path


def write(sweep, *names, status="finished"):
    for name in names:
        (sweep / name).mkdir()
        Result(status=status, seed=0).write(sweep / name)


def write_running(run):
    Result(status="running", seed=0).write(run)


def test_a_run_is_found_by_its_name(sweep):
    assert str(Position.of(sweep / JOBS[3])) == "[ 4/12]"
    assert str(Position.of(sweep / JOBS[11])) == "[12/12]"


def test_a_run_outside_a_sweep_has_no_position(sweep, tmp_path):
    assert Position.of(sweep / "other") is None
    assert Position.of(tmp_path / "deeper" / JOBS[0]) is None


def test_time_left_follows_the_runs_that_have_ended_on_disk(sweep):
    position = Position.of(sweep / JOBS[0])
    assert position.time_left() == ""
    write(sweep, *JOBS[:2])
    write(sweep, JOBS[2], status="diverged")
    write(sweep, JOBS[3], JOBS[4], status="running")
    write(sweep, "of another sweep")
    assert position.ended() == 3
    Result(status="running", seed=0, process=replace(Process.this(), began="another boot/1")).write(sweep / JOBS[3])
    assert position.ended() == 4, "a run that was killed counts as ended"
    write_running(sweep / JOBS[3])
    assert position.time_left() == "sweep: 1 min 30 s left"
    write(sweep, *JOBS[5:])
    assert position.time_left() == "sweep: 6 s left"


def test_no_time_is_left_at_the_end(sweep):
    write(sweep, *JOBS)
    assert Position.of(sweep / JOBS[0]).time_left() == ""


def test_the_end_is_recorded(sweep):
    assert SweepRecord.read(sweep).ended is None
    end(sweep)
    record = SweepRecord.read(sweep)
    assert datetime.fromisoformat(record.ended) - datetime.fromisoformat(record.started) == timedelta(seconds=30)
    assert record.jobs == JOBS


def test_the_beginning_is_announced(tmp_path, capsys):
    begin(tmp_path, ["a"], [], [])
    begin(tmp_path, ["a", "b"], ["seed"], [])
    one, two = capsys.readouterr().out.splitlines()
    assert one == f"1 run in {tmp_path}, swept: nothing"
    assert two == f"2 runs in {tmp_path}, swept: seed"


def test_durations_in_words():
    assert [duration(s) for s in (4.4, 75, 7300)] == ["4 s", "1 min 15 s", "2 h 1 min"]


def test_a_sweep_whose_directories_have_names_of_their_own_is_followed_too(cli, tmp_path):
    lengths = ("trainer.max_steps=5", "trainer.val_check_interval=5", "trainer.log_every_n_steps=5")
    names = ("hydra.sweep.dir=mine", "hydra.sweep.subdir=job${hydra.job.num}")
    outcome = cli("-m", "seed=0,1", "metrics.test.nll.k=0", *names, *lengths)
    assert outcome.code == 0, outcome.err
    assert SweepRecord.read(tmp_path / "mine").jobs == ["job0", "job1"]
    assert "\n[1/2] job0" in outcome.out
    assert "\n[2/2] job1" in outcome.out
    assert str(Position.of(tmp_path / "mine" / "job1")) == "[2/2]"


def test_jobs_that_would_share_a_directory_are_refused(cli):
    outcome = cli("-m", "seed=0,1", "hydra.sweep.dir=mine", "hydra.sweep.subdir=one")
    assert (outcome.code, "two runs would share the directory mine/one" in outcome.err) == (1, True)
