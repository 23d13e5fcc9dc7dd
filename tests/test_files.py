"""A file is there whole or not at all."""

import errno
import os

import pytest

from vae_lab.files import put_whole


def test_the_one_before_stays_where_a_new_one_cannot_be_written(tmp_path, monkeypatch):
    put_whole(tmp_path / "a", b"before")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        put_whole(tmp_path / "a", b"after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]
