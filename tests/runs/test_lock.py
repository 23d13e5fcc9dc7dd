"""A directory is held by one process; the lock of one that has died is gone with it."""

import subprocess
import sys

import pytest

from vae_lab.runs.lock import InUse, holding, in_use
from vae_lab.runs.process import Process

HOLDS = """
import sys, time
from pathlib import Path
from vae_lab.runs.lock import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_refused_and_told_who_holds_it(tmp_path):
    with holding(tmp_path), pytest.raises(InUse, match=f"is being written by process {Process.this().pid} on "):
        holding(tmp_path).__enter__()
    with holding(tmp_path):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)


def test_a_killed_process_keeps_no_lock(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(InUse, match=f"process {process.pid} on "):
        holding(tmp_path).__enter__()
    process.kill()
    process.communicate()
    with holding(tmp_path):
        assert in_use(tmp_path)


def test_a_file_system_without_locks_refuses_nothing(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unknown)
    with holding(tmp_path), holding(tmp_path):
        assert not in_use(tmp_path)


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"):
        holding(tmp_path / "run").__enter__()
    assert (tmp_path / "precious").read_text() == "mine"


def test_what_holds_no_lock_is_not_in_use(tmp_path):
    assert not in_use(tmp_path / "nowhere")
