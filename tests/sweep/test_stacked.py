"""``hydra/launcher=stacked`` from the command line: the sweep that any launcher makes."""

import json

import pytest
from omegaconf import OmegaConf

from vae_lab.sweep.slots import Slot
from vae_lab.sweep.stacked import launch

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "metrics.test.nll.k=0", "encoder.hidden=[16]")
SWEEP = ("-m", *SHORT, "model.beta=1,4")
STACKED = ("hydra/launcher=stacked", "hydra.launcher.always=true")


def results(sweep):
    found = {}
    for file in sorted(sweep.glob("*/result.json")):
        found[file.parent.name] = json.loads(file.read_text())
    return found


def test_a_stacked_sweep_is_the_sweep_of_the_basic_launcher(cli, tmp_path):
    assert cli(*SWEEP, "hydra.sweep.dir=basic").code == 0
    stacked = cli(*SWEEP, *STACKED, "hydra.sweep.dir=stacked")
    assert stacked.code == 0
    assert "alone" not in stacked.out
    one, other = results(tmp_path / "basic"), results(tmp_path / "stacked")
    assert len(one) == 2 and one.keys() == other.keys()
    for name in one:
        assert other[name]["metrics"]["test/elbo"] == pytest.approx(one[name]["metrics"]["test/elbo"], rel=1e-3)
        assert {**one[name], "metrics": 0}.keys() == {**other[name], "metrics": 0}.keys()
        for key in ("status", "overrides", "seed", "checkpoint", "checkpoint_step", "steps", "objective", "unfinished"):
            assert one[name][key] == other[name][key]
        files = [sorted(p.name for p in (tmp_path / kind / name).rglob("*")) for kind in ("basic", "stacked")]
        assert files[0] == files[1]


class Recorder:
    """A pool of two workers on one CPU that notes what it is asked, and has run it at once."""

    def __init__(self, answer):
        self.slots, self.answer, self.pieces = [Slot(), Slot()], answer, []

    def ask(self, lines):
        self.asked = [json.loads(line) for line in lines]
        return [self.answer]

    def run(self, pieces, ended, say, stop):
        self.pieces = list(pieces)
        for piece in pieces:
            ended(piece, "")


def launched(tmp_path, answer, jobs=4, **options):
    pool = Recorder(answer)
    hydra = {"sweep": {"dir": str(tmp_path)}, "sweeper": {"fail_fast": False}, "overrides": {"hydra": []}}
    overrides = [[f"seed={n}", f"hydra.sweep.subdir=r{n}"] for n in range(jobs)]
    launch(OmegaConf.create({"hydra": hydra}), pool, overrides, 0, **options)
    return pool


def test_stacks_and_single_runs_share_the_workers(tmp_path, capsys):
    answer = {"problem": "", "stacks": [[0, 2], [3, 4]], "lines": ["1 run is trained alone: no other run"]}
    pool = launched(tmp_path, answer, jobs=5, max_stack=7)
    assert [(piece.name, piece.names) for piece in pool.pieces] == [
        ("[stack 1/2]", ["r0", "r2"]),
        ("[stack 2/2]", ["r3", "r4"]),
        ("r1", ["r1"]),
    ]
    (asked,) = pool.asked
    assert [asked[name] for name in ("most", "at_once", "sharing")] == [7, 2, 2]
    assert json.loads(pool.pieces[0].line)["always"] is False
    said = capsys.readouterr().out
    assert "launcher stacked: 2 CPU workers, 1 thread each\nlauncher stacked: 1 run is trained alone" in said


def test_where_no_stack_can_be_found_all_are_run_alone(tmp_path, capsys):
    pool = launched(tmp_path, {"problem": "RuntimeError: no memory"}, jobs=2)
    assert [piece.name for piece in pool.pieces] == ["r0", "r1"]
    assert "all runs are trained alone: RuntimeError: no memory" in capsys.readouterr().out


@pytest.mark.slow
def test_what_cannot_be_stacked_is_run_alone_with_the_reason(cli, tmp_path):
    outcome = cli("-m", *SHORT, *STACKED, "inference=joint,aggressive", "seed=0,1", "hydra.sweep.dir=mixed")
    assert outcome.code == 0
    assert "launcher stacked: 2 runs are trained alone: AggressiveInference: takes part" in outcome.out
    assert len(results(tmp_path / "mixed")) == 4


OWN = """
import os
import signal
from pathlib import Path

from vae_lab.networks import MLPEncoder


class Reading(MLPEncoder):
    def forward(self, x):
        x.sum().item()  # of many models at once there is not one number
        return super().forward(x)


class Stopping(MLPEncoder):
    calls = 0

    def forward(self, x):
        Stopping.calls += self.training
        if Stopping.calls == 40 and not Path("once").exists():
            Path("once").touch()
            os.kill(os.getppid(), signal.SIGTERM)
        return super().forward(x)
"""


@pytest.fixture
def with_own(cli, importable):
    """Sweeps, or takes up a sweep, with encoders of one's own."""
    importable("own", OWN)
    return lambda *arguments: cli("--allow", "own", "-m", *arguments)


@pytest.mark.slow
def test_a_stack_that_breaks_is_run_alone(with_own, tmp_path):
    outcome = with_own(*SWEEP[1:], *STACKED, "encoder._target_=own.Reading", "hydra.sweep.dir=broken")
    assert outcome.code == 0
    assert "[stack 1/1] 2 runs are trained alone: RuntimeError: vmap: " in outcome.out
    assert {result["status"] for result in results(tmp_path / "broken").values()} == {"finished"}


def test_a_sweep_that_was_stopped_in_its_stack_is_taken_up(with_own, tmp_path):
    longer = (*SWEEP[1:], "trainer.max_steps=60", "trainer.val_check_interval=20")
    outcome = with_own(*longer, *STACKED, "encoder._target_=own.Stopping", "hydra.sweep.dir=stopped")
    assert outcome.code == 128 + 15
    assert {result["status"] for result in results(tmp_path / "stopped").values()} == {"failed"}
    again = with_own("resume=stopped", *STACKED)
    assert again.code == 0, again.err
    assert {result["status"] for result in results(tmp_path / "stopped").values()} == {"finished"}


@pytest.mark.parametrize("setting", ["max_stack=1", "max_stack=x"])
def test_settings_that_cannot_be_are_refused(cli, setting):
    outcome = cli(*SWEEP, *STACKED, f"hydra.launcher.{setting}")
    assert outcome.code == 1
    assert f"hydra.launcher.{setting}" in outcome.err
