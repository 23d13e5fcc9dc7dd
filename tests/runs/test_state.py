"""What a run directory holds, in a word."""

from dataclasses import replace

import pytest

from vae_lab.checks import ConfigError
from vae_lab.runs.lock import holding
from vae_lab.runs.process import Process
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result
from vae_lab.runs.state import check_plain, state_of

GONE = replace(Process.this(), began="another boot/1")


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result(status="finished", seed=0), "ended"),
        (Result(status="diverged", seed=0), "ended"),
        (Result(status="failed", seed=0), "open"),
        (Result(status="running", seed=0, process=GONE), "open"),
        (Result(status="running", seed=0, process=Process(pid=1, began="", host="elsewhere")), "open"),
        (None, "open"),
    ],
)
def test_the_record_says_it(tmp_path, result, state):
    if result:
        result.write(tmp_path)
    assert state_of(tmp_path) == state
    with holding(tmp_path):
        assert state_of(tmp_path) == "busy"
    assert state_of(tmp_path) == state


def test_what_cannot_be_read_is_not_run_over(tmp_path):
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(RecordError):
        state_of(tmp_path)


def test_links_are_refused_but_in_what_services_make(tmp_path):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "latest-run").symlink_to(tmp_path)
    check_plain(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match=r"checkpoints/last.ckpt: is a link"):
        check_plain(tmp_path)
