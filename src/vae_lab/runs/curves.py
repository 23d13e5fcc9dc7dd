"""``metrics.csv``: the curves of a run. A wide table: one row per logged step, one column per name.

A row counts once its line is ended. What a crash leaves of a last line is ignored by the reader, and cut off by the
writer that opens the file next.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vae_lab.checks import ArgumentError, one_line
from vae_lab.files import put_whole
from vae_lab.runs.names import CURVES
from vae_lab.runs.records import RecordError

STEP = "step"
EXTRA = ""  # holds what a row has beyond the columns

Row = dict[str, str]


class Curve(NamedTuple):
    """The steps at which a figure was logged, and its values there."""

    steps: list[int]
    values: list[float]


class CurveFile:
    """The ``metrics.csv`` of a run directory, open for more rows.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as directory:
        ...     file = CurveFile(Path(directory))
        ...     file.append(0, {"train/rate": 0.5})
        ...     file.append(1, {"train/rate": 0.25, "val/rate": 0.5})
        ...     file.append(2, {"train/rate": 0.125})
        ...     file.cut(1)
        ...     read_curves(Path(directory))["train/rate"]
        Curve(steps=[0, 1], values=[0.5, 0.25])
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / CURVES
        content = self.path.read_bytes() if self.path.is_file() else b""
        if content != whole_lines(content):
            put_whole(self.path, whole_lines(content))
        self.columns, _ = read_rows(self.path)

    def append(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a row; a name that is new gets a column, empty in the rows before."""
        row = {STEP: step, **figures}
        if new := [name for name in row if name not in self.columns]:
            _, rows = read_rows(self.path)
            self.columns += map(column, new)
            self.rewrite(rows)
        with self.path.open("ab") as file:
            file.write(as_lines([row], self.columns))

    def cut(self, step: int) -> None:
        """Drop the rows beyond a step."""
        _, rows = read_rows(self.path)
        self.rewrite([row for row in rows if int(row[STEP]) <= step])

    def rewrite(self, rows: Iterable[Row]) -> None:
        """Replace the file by one with these rows, in one step."""
        header = dict(zip(self.columns, self.columns, strict=True))
        put_whole(self.path, as_lines([header, *rows], self.columns))


def column(name: str) -> str:
    """The name of a column, which must not end a line.

    Raises:
        ArgumentError: when it does.
    """
    if name.splitlines() != [name]:
        raise ArgumentError("name", repr(name), "must be a name of one line")
    return name


def as_lines(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """Rows as lines of the file."""
    text = io.StringIO()
    csv.DictWriter(text, columns, restval="", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def whole_lines(content: bytes) -> bytes:
    """The content up to its last line end."""
    return content[: content.rfind(b"\n") + 1]


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """The columns and the whole rows of a file; none where there is no such file.

    Raises:
        RecordError: when it is no table with a column ``step``.
    """
    try:
        content = path.read_bytes() if path.is_file() else b""
        reader = csv.DictReader(whole_lines(content).decode().splitlines(), restkey=EXTRA)
        columns, rows = list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path.name} is broken: {one_line(error)}") from error
    if columns and STEP not in columns:
        raise RecordError(f"{path.name} has no column {STEP}")
    return columns, rows


def read_curves(directory: Path) -> dict[str, Curve]:
    """The curves of a run directory by name; none where nothing was logged.

    Raises:
        RecordError: when they cannot be read, naming the line.
    """
    curves: dict[str, Curve] = {}
    for number, row in enumerate(read_rows(directory / CURVES)[1], start=2):
        try:
            if EXTRA in row:
                raise ValueError("more values than columns")
            step = int(row.pop(STEP))
            for name, value in row.items():
                if value:
                    curve = curves.setdefault(name, Curve([], []))
                    curve.steps.append(step)
                    curve.values.append(float(value))
        except (TypeError, ValueError) as error:
            raise RecordError(f"{CURVES} is broken in line {number}: {error}") from error
    return curves


def last_step(directory: Path) -> int:
    """How many steps the curves of a run directory reach, 0 where there are none that can be read."""
    try:
        return max((curve.steps[-1] + 1 for curve in read_curves(directory).values()), default=0)
    except RecordError:
        return 0
