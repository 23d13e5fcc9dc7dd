"""Typed records as JSON files: written whole or not at all, and read with the number of their format."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from vae_lab.files import put_whole


class RecordError(ValueError):
    """A record that cannot be read; the message says why in one line."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every format shares: its number. Records of vae_lab 0.1.0 have none, which makes them format 1."""

    format: int = 1


AnyRecord = TypeVar("AnyRecord", bound=Record)


def write_record(path: Path, record: Record) -> None:
    """Write a record so that readers see the whole file or none. NaN and infinities become null."""
    content = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    put_whole(path, content)


def read_record(path: Path, kind: type[AnyRecord]) -> AnyRecord:
    """Read a record of the dataclass ``kind``, whose default ``format`` is the one that is read.

    Raises:
        RecordError: when the file is missing, broken, or of another format.
    """
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=Record).format
        if found != kind.format:
            writer = "an older" if found < kind.format else "a newer"
            message = f"{path.name} has format {found}, written by {writer} vae_lab; this one reads format"
            raise RecordError(f"{message} {kind.format}")
        return msgspec.json.decode(content, type=kind)
    except OSError as error:
        raise RecordError(f"{path.name} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path.name} is broken: {error}") from error
