"""What the page is told, as it travels in JSON. Figures are in nats per image; None where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Key:
    """What was swept: its values as text, and as numbers where they are."""

    key: str
    title: str
    values: Sequence[str]
    numbers: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure at the end of the runs. ``column``: whether the table shows it."""

    name: str
    title: str
    unit: str
    digits: int
    column: bool


@dataclass(frozen=True, kw_only=True)
class CurveName:
    """A curve that some run has. ``group`` says where it was measured."""

    name: str
    title: str
    unit: str
    group: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run."""

    name: str
    label: str  # the swept values in words
    folder: str  # as a link from the page
    values: Sequence[int]  # of each key, as a position in its values
    marked: bool
    status: str
    reason: str
    collapse: str
    verdict: str
    cause: str
    numbers: Sequence[float | None]  # of each figure
    cells: Sequence[str]  # of each figure that is a column
    rates: Sequence[float | None]  # of each dimension, falling
    used: int | None  # dimensions that the decoder uses
    seconds: float | None
    steps: int
    seed: int
    settings: Sequence[tuple[str, str]]  # what not all runs share
    checks: Sequence[tuple[str, str]]  # of its diagnosis
    advice: str
    commands: Sequence[tuple[str, str]]  # what for, and the command
    pictures: Sequence[tuple[str, str]]  # title, and link from the page


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve of the theory in the rate-distortion plane."""

    title: str
    rates: Sequence[float]
    distortions: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What lies in the block of numbers: first the distinct lists of steps, then the values, run by run.

    ``steps`` are the lengths of the lists; ``runs`` has, for each run and each name, the position of its list of steps,
    -1 where it has no such curve. A curve has as many values as its list has steps.
    """

    names: Sequence[CurveName]
    steps: Sequence[int]
    runs: Sequence[Sequence[int]]
    most: int | None  # to how many points the curves were thinned; None where they are whole


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A part of what the sweep says. A line that begins with a blank belongs to the one before."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that the page shows."""

    title: str
    subtitle: str
    chapters: Sequence[Chapter]
    keys: Sequence[Key]
    figures: Sequence[Figure]
    mark: str  # the heading of the column that marks runs; empty for none
    runs: Sequence[Entry]
    shared: Sequence[tuple[str, str]]
    theory: Sequence[Line]
    curves: Curves
