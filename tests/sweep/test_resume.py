"""A sweep, or a run, that is taken up by ``resume=``: what has ended is kept, the rest goes on, records are data."""

import csv
import json
import signal
from pathlib import Path

import pytest

from vae_lab.runs.lock import holding
from vae_lab.runs.process import Process
from vae_lab.runs.result import Result
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.record import Position

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=5", "trainer.log_every_n_steps=5", "metrics.test.nll.k=0")
SWEEP = ("-m", "seed=0,1,2", "hydra.sweep.dir=s", *SHORT)


@pytest.fixture
def breaks(monkeypatch):
    """Makes the run with a seed break at a step."""
    from vae_lab.models import VAE

    step = VAE.training_step

    def call(seed, at=12, error=lambda: RuntimeError("broken")):
        def broken(self, batch, i):
            if self.seed == seed and i == at:
                raise error()
            return step(self, batch, i)

        monkeypatch.setattr(VAE, "training_step", broken)
        return lambda: monkeypatch.setattr(VAE, "training_step", step)

    return call


def interrupt():
    signal.raise_signal(signal.SIGINT)


def rows(sweep):
    """``summary.csv`` without what no two sweeps have in common."""
    with (sweep / "summary.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def written(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_an_interrupted_sweep_says_how_to_go_on_and_ends_like_any_other(cli, tmp_path, breaks):
    assert cli("-m", "seed=0,1,2", "hydra.sweep.dir=whole", *SHORT).code == 0
    mend = breaks(seed=1, error=interrupt)
    outcome = cli(*SWEEP)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (130, "to go on: python -m vae_lab -m resume=s")
    assert Result.read(tmp_path / "s" / "seed=1").reason == "interrupted by Ctrl-C at step 10"
    mend()
    first = written(tmp_path / "s" / "seed=0")
    outcome = cli("-m", "resume=s")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("3 runs in s: 1 have ended and are kept, 2 to go\n")
    assert written(tmp_path / "s" / "seed=0") == first
    assert rows(tmp_path / "s") == rows(tmp_path / "whole")
    assert SweepRecord.read(tmp_path / "s").ended


def test_failed_runs_go_on_and_diverged_ones_are_kept(cli, tmp_path, breaks):
    mend = breaks(seed=1)
    arguments = ("-m", "seed=1", "optimizer=sgd", "optimizer.lr=1e-4,1e6", "hydra.sweep.dir=s", *SHORT)
    assert cli(*arguments).code == 1
    mend()
    assert {Result.read(path.parent).status for path in tmp_path.glob("s/*/result.json")} == {"diverged", "failed"}
    outcome = cli("-m", "resume=s")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "2 runs in s: 1 have ended and are kept, 1 to go")
    assert {Result.read(path.parent).status for path in tmp_path.glob("s/*/result.json")} == {"diverged", "finished"}


def test_values_are_added_to_what_was_swept(cli, tmp_path):
    cli(*SWEEP)
    assert cli("-m", "resume=s", "seed=3").code == 0
    record = SweepRecord.read(tmp_path / "s")
    assert record.jobs == [f"seed={seed}" for seed in range(4)]
    assert "seed=0,1,2,3" in record.arguments
    assert [row["seed"] for row in rows(tmp_path / "s")] == ["0", "1", "2", "3"]
    assert "4 have ended and are kept, 0 to go" in cli("-m", "resume=s").out


def test_values_are_added_to_an_experiment_s_own_grid(cli, tmp_path):
    assert cli("+experiment=smoke", "-m", "hydra.sweep.dir=s", "model=vae,beta_vae").code == 0
    outcome = cli("+experiment=smoke", "-m", "resume=s", "model=bn_vae")
    assert outcome.code == 0, outcome.err
    assert SweepRecord.read(tmp_path / "s").jobs == ["model=vae", "model=beta_vae", "model=bn_vae"]


def test_the_newest_sweep_is_the_latest(cli, tmp_path):
    cli("-m", "seed=0,1", *SHORT)
    assert "2 have ended and are kept, 0 to go" in cli("-m", "resume=latest").out


REFUSED = {
    "shared setting": (
        ["-m", "resume=s", "trainer.max_steps=30"],
        "trainer.max_steps=30: this sweep does not sweep it",
    ),
    "new setting": (
        ["-m", "resume=s", "model.beta=1,2"],
        "model.beta=1,2: this sweep does not sweep it; it sweeps seed",
    ),
    "typo": (["-m", "resume=s", "sed=3"], "sed=3: this sweep does not sweep it; it sweeps seed"),
    "no directory": (["-m", "resume=nope"], "resume=nope: no such directory"),
    "a run": (
        ["-m", "resume=s/seed=0"],
        "resume=s/seed=0: holds no sweep.json, so it is no sweep directory; it is a run",
    ),
    "a sweep": (["resume=s"], "resume=s: holds no result.json, so it is no run directory; it is a sweep, add -m"),
    "no sweep": (["-m", "resume=latest"], "resume=latest: no sweep in multirun/ or outputs/ below"),
    "another beta": (["resume=s/seed=0", "model.beta=2", "trainer.max_steps=30"], "model.beta=2: was 1.0 when the run"),
    "another model": (
        ["resume=s/seed=0", "model=vae", "trainer.max_steps=30"],
        "model._target_=vae_lab.models.VAE: was",
    ),
    "shorter": (
        ["resume=s/seed=0", "trainer.max_steps=10"],
        "trainer.max_steps=10: was 20 when the run began; it can be",
    ),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A sweep that has ended, in a folder of its own."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("ended")
    command = [sys.executable, "-m", "vae_lab", *SWEEP]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_go_on_is_one_line(cli, ended, monkeypatch, arguments, message):
    monkeypatch.chdir(ended)
    before = written(ended)
    outcome = cli(*arguments)
    assert outcome.err.startswith(f"error: {message}")
    assert (outcome.code, len(outcome.err.splitlines())) == (1, 1)
    assert written(ended) == before


def test_a_run_that_has_ended_says_so(cli, ended, monkeypatch):
    monkeypatch.chdir(ended)
    before = written(ended)
    outcome = cli("resume=s/seed=0")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "s/seed=0: has finished; trainer.max_steps=N makes it longer than its 20 steps\n"
    assert written(ended) == before


def test_an_interrupted_run_says_how_to_go_on(cli, tmp_path, breaks):
    cli("hydra.run.dir=whole", *SHORT)
    mend = breaks(seed=0, error=interrupt)
    outcome = cli("hydra.run.dir=one", *SHORT)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (130, "to go on: python -m vae_lab resume=one")
    mend()
    assert cli("resume=one").code == 0
    assert (tmp_path / "one" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    assert Result.read(tmp_path / "one").metrics == Result.read(tmp_path / "whole").metrics


def test_a_run_of_a_sweep_is_made_longer_and_the_sweep_keeps_it(cli, tmp_path):
    cli(*SWEEP)
    assert cli("resume=s/seed=1", "trainer.max_steps=40").code == 0
    assert Result.read(tmp_path / "s" / "seed=1").steps == 40
    assert json.loads((tmp_path / "s" / "seed=1" / "result_at_20.json").read_text())["steps"] == 20
    outcome = cli("-m", "resume=s")
    assert (outcome.code, "3 have ended and are kept, 0 to go" in outcome.out) == (0, True)
    assert Result.read(tmp_path / "s" / "seed=1").steps == 40


def test_two_processes_in_one_sweep_are_refused(cli, tmp_path):
    cli(*SWEEP)
    with holding(tmp_path / "s"):
        outcome = cli("-m", "resume=s")
    assert (outcome.code, f"s: is being written by process {Process.this().pid} on" in outcome.err) == (1, True)
    assert cli("-m", "resume=s").code == 0


def test_a_run_that_somebody_is_at_is_left_to_them(cli, tmp_path, breaks):
    mend = breaks(seed=1)
    cli(*SWEEP)
    mend()
    with holding(tmp_path / "s" / "seed=1"):
        outcome = cli("-m", "resume=s")
        assert f"note: seed=1 is left out: process {Process.this().pid} on" in outcome.out
        assert "is being written by" in cli("resume=s/seed=1").err
    assert cli("-m", "resume=s").code == 0


def test_time_left_is_that_of_what_is_still_to_do(cli, tmp_path, breaks):
    mend = breaks(seed=2)
    cli(*SWEEP)
    mend()
    cli("-m", "resume=s", "seed=3")
    position = Position.of(tmp_path / "s" / "seed=3")
    assert (position.record.skipped, position.ended()) == (2, 2)


@pytest.mark.parametrize("fail_fast", [True, False])
def test_fail_fast_ends_a_sweep_at_its_first_failure(cli, tmp_path, breaks, fail_fast):
    breaks(seed=1)
    outcome = cli(*SWEEP, f"fail_fast={str(fail_fast).lower()}")
    assert outcome.code == 1
    assert (tmp_path / "s" / "seed=2").exists() is not fail_fast
    assert ("fail_fast=true ended the sweep there" in outcome.err) is fail_fast
    assert outcome.out.splitlines()[-1] == "to go on: python -m vae_lab -m resume=s"


def test_folders_named_by_number_stay_with_their_jobs(cli, tmp_path, breaks):
    mend = breaks(seed=1)
    cli(*SWEEP, "hydra.sweep.subdir=job${hydra.job.num}")
    mend()
    outcome = cli("-m", "resume=s")
    assert outcome.code == 0, outcome.err
    assert [Result.read(tmp_path / "s" / f"job{number}").seed for number in range(3)] == [0, 1, 2]
    assert len(list(tmp_path.glob("s/*/result.json"))) == 3


# what a record may not decide


def spoil(sweep: Path, **changes):
    file = sweep / "sweep.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


STRANGE = {
    "allow": ["--allow=evil", "-m", "model._target_=evil.Model", "seed=0,1"],
    "target": ["-m", "model._target_=os.system", "seed=0,1"],
    "callbacks": ["-m", "+hydra.callbacks.x._target_=os.system", "seed=0,1"],
    "launcher": ["-m", "hydra/launcher=evil", "seed=0,1"],
    "launcher setting": ["-m", "+hydra.launcher.setup=[touch trace]", "seed=0,1"],
    "environment": ["-m", "+hydra.job.env_set.X=1", "seed=0,1"],
    "search path": ["-m", "hydra.searchpath=[file://.]", "seed=0,1"],
    "logging": ["-m", "hydra.job_logging.handlers.file.filename=/tmp/trace", "seed=0,1"],
    "folder": ["--config-dir=nowhere", "-m", "seed=0,1"],
    "resolver": ["-m", "model.beta=${evil:1}", "seed=0,1"],
    "subdir": ["-m", "hydra.sweep.subdir=../x", "seed=0,1"],
    "elsewhere": ["-m", "hydra.sweep.dir=elsewhere", "seed=0,1"],
}


@pytest.mark.parametrize("arguments", STRANGE.values(), ids=STRANGE.keys())
def test_a_stranger_s_command_line_decides_nothing_that_a_person_types(cli, tmp_path, monkeypatch, arguments):
    (tmp_path / "evil.py").write_text("open('trace', 'w')\nfrom vae_lab.models import BetaVAE as Model\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "s").mkdir()
    record = SweepRecord(
        swept=["seed"], arguments=[*arguments, *SHORT], started="2026-01-01", jobs=["seed=0", "seed=1"]
    )
    record.write(tmp_path / "s")
    outcome = cli("-m", "resume=s")
    refused = outcome.code == 1 and outcome.err.startswith("error: ") and len(outcome.err.splitlines()) == 1
    ignored = outcome.code == 0 and (outcome.out.startswith("note: the record has ") or "elsewhere" in arguments[1])
    assert refused or ignored, (outcome.code, outcome.err, outcome.out)
    assert not list(tmp_path.rglob("trace"))
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "x").exists()


def test_what_is_allowed_is_typed_again(cli, tmp_path, monkeypatch):
    (tmp_path / "my_lab_nets.py").write_text("from vae_lab.models.beta_vae import *\nclass Mine(BetaVAE): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    cli("--allow", "my_lab_nets", *SWEEP, "model._target_=my_lab_nets.Mine")
    outcome = cli("-m", "resume=s", "seed=3")
    assert "note: the record has --allow=my_lab_nets, which only counts when it is typed again" in outcome.out
    assert (outcome.code, "model._target_=my_lab_nets.Mine: must lie under" in outcome.err) == (1, True)
    outcome = cli("--allow", "my_lab_nets", "-m", "resume=s", "seed=3")
    assert (outcome.code, "note: the record" in outcome.out) == (0, False)


@pytest.mark.parametrize("name", ["..", "../x", "/tmp/x", "a/b", ""])
def test_a_job_that_leads_elsewhere_is_refused(cli, ended, tmp_path, name):
    import shutil

    shutil.copytree(ended / "s", tmp_path / "s")
    spoil(tmp_path / "s", jobs=["seed=0", name])
    outcome = cli("-m", "resume=s")
    assert outcome.err == f"error: hydra.sweep.subdir={name}: must be the name of one folder"


@pytest.mark.parametrize(
    "link", ["seed=1", "seed=1/metrics.csv", "seed=1/run.log", "seed=1/checkpoints", "seed=1/.hydra"]
)
def test_a_link_in_a_sweep_is_refused(cli, ended, tmp_path, link):
    import shutil

    shutil.copytree(ended / "s", tmp_path / "s")
    path = tmp_path / "s" / link
    path.rename(tmp_path / "away")
    path.symlink_to(tmp_path / "away")
    before = written(tmp_path / "s")
    outcome = cli("-m", "resume=s")
    assert (outcome.code, f"{Path('s') / link}: is a link, which no run makes" in outcome.err) == (1, True)
    assert written(tmp_path / "s") == before
