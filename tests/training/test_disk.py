"""A disk that is full, or a directory that nobody may write: one line, a true record where one fits, and no masking."""

import errno
import logging
import os

import pytest
from lightning.pytorch import Trainer

from vae_lab.checks import Interrupted
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.training import run, trainer

FULL = OSError(errno.ENOSPC, "No space left on device", "checkpoints/new.ckpt")
LOCKED = OSError(errno.EROFS, "Read-only file system", "result.json")


@pytest.mark.parametrize("error", [FULL, LOCKED])
def test_a_checkpoint_that_cannot_be_written_is_the_reason_of_the_failure(compose_config, tmp_path, monkeypatch, error):
    def breaks(self, *_, **__):
        (tmp_path / "checkpoints").mkdir(exist_ok=True)
        (tmp_path / "checkpoints" / "new.ckpt").write_bytes(b"half")
        raise error

    monkeypatch.setattr("lightning.pytorch.Trainer.save_checkpoint", breaks)
    with pytest.raises(OSError, match=error.strerror):
        run.execute(compose_config(), tmp_path, {})
    result = Result.read(tmp_path)
    assert (result.status, result.reason) == ("failed", f"{error.strerror}: {error.filename}")
    assert not (tmp_path / "checkpoints" / "new.ckpt").exists()


def test_a_record_that_cannot_be_written_masks_no_failure(compose_config, tmp_path, monkeypatch):
    def breaks(*_):
        monkeypatch.setattr(os, "replace", fails)
        raise RuntimeError("what broke")

    def fails(*_):
        raise FULL

    monkeypatch.setattr(run, "train_and_test", breaks)
    with pytest.raises(RuntimeError, match="what broke"):
        run.execute(compose_config(), tmp_path, {})
    assert Run.read(tmp_path).status == "running"  # and stopped once this process has ended
    assert [path.name for path in tmp_path.glob(".result*")] == []


def test_figures_that_cannot_be_kept_are_a_failure(compose_config, tmp_path, monkeypatch):
    train_and_test = run.train_and_test

    def fills(*arguments):
        found = train_and_test(*arguments)
        monkeypatch.setattr(os, "replace", fails)
        return found

    def fails(*_):
        raise FULL

    monkeypatch.setattr(run, "train_and_test", fills)
    with pytest.raises(OSError, match="No space left"):
        run.execute(compose_config(), tmp_path, {})


def test_a_full_disk_costs_one_line_per_run_and_the_sweep_goes_on(cli, tmp_path, monkeypatch):
    save, calls = Trainer.save_checkpoint, []

    def breaks_once(self, *arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise FULL
        save(self, *arguments, **options)

    monkeypatch.setattr("lightning.pytorch.Trainer.save_checkpoint", breaks_once)
    lengths = ("trainer.max_steps=4", "trainer.val_check_interval=2", "metrics.test.nll.k=0")
    outcome = cli("-m", "seed=0,1", "hydra.sweep.dir=s", *lengths)
    assert "Traceback" not in outcome.out + outcome.err
    assert outcome.code == 1
    assert sorted(Result.read(path.parent).status for path in tmp_path.glob("s/*/result.json")) == [
        "failed",
        "finished",
    ]
    assert "failed: No space left on device: checkpoints/new.ckpt" in outcome.out


def test_a_signal_is_recorded_with_the_step_that_it_came_at(compose_config, tmp_path, monkeypatch):
    from vae_lab.models import BetaVAE

    step = BetaVAE.training_step

    def interrupted(self, x, i):
        if i == 13:
            raise Interrupted("by SIGHUP")
        return step(self, x, i)

    monkeypatch.setattr(BetaVAE, "training_step", interrupted)
    with pytest.raises(Interrupted):
        run.execute(compose_config(), tmp_path, {})
    assert Result.read(tmp_path).reason == "interrupted by SIGHUP at step 10"  # the last one that was logged


class Full:
    """A stream on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        """Nothing waits."""


def test_a_log_that_cannot_be_written_says_nothing_on_the_screen(capsys):
    handler = logging.StreamHandler(Full())
    logging.getLogger().addHandler(handler)
    try:
        trainer.quieten()
        logging.getLogger("vae_lab").warning("lost")
    finally:
        logging.getLogger().removeHandler(handler)
    assert capsys.readouterr().err == ""
