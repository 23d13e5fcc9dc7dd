"""``hydra/launcher=stacked`` from the command line: the sweep that any launcher makes."""

import json

import pytest

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


@pytest.mark.slow
def test_what_cannot_be_stacked_is_run_alone_with_the_reason(cli, tmp_path):
    outcome = cli("-m", *SHORT, *STACKED, "inference=joint,aggressive", "seed=0,1", "hydra.sweep.dir=mixed")
    assert outcome.code == 0
    assert "launcher stacked: 2 runs are trained alone: AggressiveInference: takes part" in outcome.out
    assert len(results(tmp_path / "mixed")) == 4


@pytest.mark.slow
def test_a_stack_that_breaks_is_run_alone(cli, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("no batching rule")

    monkeypatch.setattr("vae_lab.stacking.train.Training.train_once", broken)
    outcome = cli(*SWEEP, *STACKED, "hydra.sweep.dir=broken")
    assert outcome.code == 0
    assert "[stack 1/1] 2 runs are trained alone: RuntimeError: no batching rule" in outcome.out
    assert {result["status"] for result in results(tmp_path / "broken").values()} == {"finished"}


def test_a_sweep_that_was_stopped_in_its_stack_is_taken_up(cli, monkeypatch, tmp_path):
    from vae_lab.checks import Interrupted
    from vae_lab.stacking.train import Training

    step = Training.step

    def stop(self, number):
        if number == 13:
            raise Interrupted("by SIGTERM", 15)
        step(self, number)

    monkeypatch.setattr(Training, "step", stop)
    outcome = cli(*SWEEP, *STACKED, "hydra.sweep.dir=stopped")
    assert outcome.code == 128 + 15
    monkeypatch.setattr(Training, "step", step)
    again = cli("-m", "resume=stopped", *STACKED)
    assert again.code == 0
    assert {result["status"] for result in results(tmp_path / "stopped").values()} == {"finished"}


@pytest.mark.parametrize("setting", ["max_stack=1", "max_stack=x"])
def test_settings_that_cannot_be_are_refused(cli, setting):
    outcome = cli(*SWEEP, *STACKED, f"hydra.launcher.{setting}")
    assert outcome.code == 1
    assert f"hydra.launcher.{setting}" in outcome.err
