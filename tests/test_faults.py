"""What a machine does to a sweep: each fault is one clear line, the rest goes on, and nothing finished is harmed.

A disk that is full or cannot be written is played by what opens, renames and saves files; tests may run as root, whom
no permission stops.
"""

import errno
import io
import os
import shutil
from pathlib import Path

import pytest

from vae_lab.runs.result import Result

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=5", "trainer.log_every_n_steps=5", "metrics.test.nll.k=0")
FULL = (errno.ENOSPC, "No space left on device")
LOCKED = (errno.EROFS, "Read-only file system")
SWEEP = ("-m", "seed=0,1,2", "hydra.sweep.dir=s", *SHORT)


@pytest.fixture
def disk(monkeypatch):
    """Makes the writing below some folders fail until it is mended."""

    def call(bad, fault):
        number, words = fault
        opened, made, renamed, real = io.open, Path.mkdir, os.replace, os.open

        def writes(path, mode):
            return bad in str(path) and any(letter in mode for letter in "wax+")

        def open_(file, mode="r", *rest, **options):
            if writes(file, mode):
                raise OSError(number, words, str(file))
            return opened(file, mode, *rest, **options)

        def path_open(self, mode="r", *rest, **options):
            return open_(self, mode, *rest, **options)

        def os_open(path, flags, *rest, **options):
            if bad in str(path) and flags & (os.O_WRONLY | os.O_RDWR):
                raise OSError(number, words, str(path))
            return real(path, flags, *rest, **options)

        def replace(one, other, **options):
            if bad in str(other):
                raise OSError(number, words, str(other))
            return renamed(one, other, **options)

        def mkdir(self, *rest, **options):
            if bad in str(self) and not self.exists():
                raise OSError(number, words, str(self))
            return made(self, *rest, **options)

        for place, fake in (
            ("builtins.open", open_), ("io.open", open_), ("pathlib.Path.open", path_open), ("os.open", os_open),
            ("os.replace", replace), ("pathlib.Path.mkdir", mkdir),
        ):  # fmt: skip
            monkeypatch.setattr(place, fake)

    return call


def statuses(folder):
    return {path.parent.name: Result.read(path.parent).status for path in sorted(folder.glob("*/result.json"))}


def assert_clear(outcome):
    assert "Traceback" not in outcome.out + outcome.err
    assert len(outcome.err.strip().splitlines()) <= 1, outcome.err


@pytest.mark.parametrize("fault", [FULL, LOCKED], ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_from_the_start_is_one_line(cli, disk, fault):
    disk("unlucky", fault)
    outcome = cli("-m", "seed=0,1", "hydra.sweep.dir=unlucky", *SHORT)
    assert_clear(outcome)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: {fault[1]}: ")


@pytest.mark.parametrize("fault", [FULL, LOCKED], ids=["full", "read-only"])
def test_a_single_run_that_cannot_be_written_is_one_line(cli, disk, fault):
    disk("one", fault)
    outcome = cli("hydra.run.dir=one", *SHORT)
    assert_clear(outcome)
    assert (outcome.code, outcome.err.startswith(f"error: {fault[1]}: ")) == (1, True)


@pytest.mark.parametrize("fault", [FULL, LOCKED], ids=["full", "read-only"])
@pytest.mark.parametrize("bad", ["seed=1", "seed=1/.hydra", "seed=1/result.json", "seed=1/.lock", "seed=1/metrics.csv"])
def test_one_run_that_cannot_be_written_costs_one_line_and_goes_on_later(cli, tmp_path, disk, monkeypatch, fault, bad):
    disk(bad, fault)
    outcome = cli(*SWEEP)
    assert_clear(outcome)
    assert (outcome.code, "seed=1" in outcome.err) == (1, True)
    lines = [line for line in outcome.out.splitlines() if "failed: " in line]
    assert len(lines) == 1
    assert f"seed=1: failed: {fault[1]}" in lines[0]
    assert {name: status for name, status in statuses(tmp_path / "s").items() if name != "seed=1"} == {
        "seed=0": "finished",
        "seed=2": "finished",
    }
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    outcome = cli("-m", "resume=s")
    assert (outcome.code, "2 have ended and are kept, 1 to go" in outcome.out) == (0, True)
    assert set(statuses(tmp_path / "s").values()) == {"finished"}


def test_a_disk_that_is_full_at_a_checkpoint_leaves_the_one_before(cli, tmp_path, monkeypatch):
    from lightning.pytorch import Trainer

    assert cli("hydra.run.dir=whole", *SHORT).code == 0
    save, calls = Trainer.save_checkpoint, []

    def fills(self, path, *rest, **options):
        calls.append(path)
        if len(calls) == 3:
            Path(path).write_bytes(b"half")
            raise OSError(*FULL, str(path))
        save(self, path, *rest, **options)

    monkeypatch.setattr(Trainer, "save_checkpoint", fills)
    outcome = cli("hydra.run.dir=one", *SHORT)
    assert_clear(outcome)
    assert outcome.err.startswith("error: No space left on device: ")
    assert sorted(path.name for path in (tmp_path / "one" / "checkpoints").iterdir()) == [
        "best.ckpt", "last.ckpt", "previous.ckpt",
    ]  # fmt: skip
    assert cli("resume=one").code == 0
    assert (tmp_path / "one" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()


def test_a_run_directory_that_is_removed_while_it_runs(cli, tmp_path, monkeypatch):
    from vae_lab.models import VAE

    step = VAE.training_step

    def removes(self, batch, i):
        if self.seed == 1 and i == 12:
            shutil.rmtree(tmp_path / "s" / "seed=1")
        return step(self, batch, i)

    monkeypatch.setattr(VAE, "training_step", removes)
    outcome = cli(*SWEEP)
    assert_clear(outcome)
    assert (outcome.code, "seed=1: failed: No such file or directory" in outcome.out) == (1, True)
    assert statuses(tmp_path / "s") == {"seed=0": "finished", "seed=2": "finished"}
    monkeypatch.setattr(VAE, "training_step", step)
    assert cli("-m", "resume=s").code == 0
    assert set(statuses(tmp_path / "s").values()) == {"finished"}


def test_a_finished_run_directory_that_is_removed_is_run_again(cli, tmp_path):
    cli(*SWEEP)
    shutil.rmtree(tmp_path / "s" / "seed=1")
    outcome = cli("-m", "resume=s")
    assert (outcome.code, "2 have ended and are kept, 1 to go" in outcome.out) == (0, True)


def test_a_record_of_a_newer_vae_lab_is_not_written_over(cli, tmp_path):
    cli(*SWEEP)
    file = tmp_path / "s" / "seed=1" / "result.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 9'))
    outcome = cli("-m", "resume=s")
    assert_clear(outcome)
    assert "s/seed=1: result.json has format 9, written by a newer vae_lab" in outcome.err
    assert '"format": 9' in file.read_text()
