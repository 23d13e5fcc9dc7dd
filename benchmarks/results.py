"""What a benchmark is: measurements by name, each of which gives rows; they are kept in ``benchmarks/results``.

A program says which measurements it has and calls ``measure``. Each is kept as soon as it has been taken, in
``results/PROGRAM.json``, with the machine, the date and a fingerprint of the code. ``table.py`` makes one table of
all.
"""

import argparse
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from math import floor, log10
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MACHINE = ("processor", "cores", "gpu", "python", "torch")  # what makes two machines the same
DIGITS = 3  # that are shown of a figure


@dataclass
class Row:
    """A figure, its goal if there is one, and what else there is to say."""

    what: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.at_most is not None:
            return f"≤ {self.at_most:,g}"
        return "" if self.at_least is None else f"≥ {self.at_least:,g}"

    @property
    def missed(self) -> bool:
        """Whether the goal is missed; a figure that is no number misses any."""
        above = self.at_most is not None and not self.measured <= self.at_most
        return above or (self.at_least is not None and not self.measured >= self.at_least)


@dataclass
class Measurement:
    """What is measured at a time: its name, a call that takes it in so many rounds, and how many."""

    name: str
    take: Callable[[int], list[Row]]
    rounds: int = 1


def measure(
    program: str,
    measurements: Callable[[argparse.Namespace], Iterable[Measurement]],
    about: str | None,
    arguments: Sequence[str] | None = None,
) -> None:
    """The command of a program: take its measurements one after the other, print their rows and keep them."""
    options = parsed(about, arguments)
    file = options.results / f"{program}.json"
    for measurement in measurements(options):
        kept = json.loads(file.read_text()) if file.exists() else {}
        about_it = {"rounds": options.rounds or measurement.rounds, "code": code(program), "machine": machine()}
        if options.full and still_holds(kept.get(measurement.name), about_it):
            print(f"{measurement.name}: kept from {kept[measurement.name]['machine']['date']}")
            continue
        rows = measurement.take(about_it["rounds"])
        for row in rows:
            print(line(row), flush=True)
        if options.small:
            continue
        kept[measurement.name] = about_it | {"machine": machine(), "rows": [asdict(row) for row in rows]}
        options.results.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def parsed(about: str | None, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of all programs."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--mnist", metavar="DIR", help="the data root that holds MNIST; what needs it is left out without"
    )
    parser.add_argument("--full", action="store_true", help="the long ones too, and none that is kept of this code")
    parser.add_argument("--rounds", type=int, help="of each measurement, in place of its own number")
    parser.add_argument("--small", action="store_true", help="smallest sizes, to see that it works; nothing is kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they are kept")
    return parser.parse_args(arguments)


def still_holds(kept: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    """Whether a result is what would be measured now: the same code and machine, and no fewer rounds."""
    if kept is None or kept["code"] != wanted["code"]:
        return False
    same = all(kept["machine"][key] == wanted["machine"][key] for key in MACHINE)
    return same and kept["rounds"] >= wanted["rounds"]


def code(program: str) -> str:
    """A fingerprint of the code that is measured, and of the program that measures it."""
    package = Path(find_spec("vae_lab").origin).parent  # type: ignore[union-attr, arg-type]
    files = sorted([*package.rglob("*.py"), *(ROOT / "conf").rglob("*.yaml")])
    fingerprint = hashlib.sha256()
    for file in [*files, ROOT / "benchmarks" / f"{program}.py"]:
        fingerprint.update(file.read_bytes())
    return fingerprint.hexdigest()[:12]


def machine() -> dict[str, Any]:
    """What is measured on, and when."""
    import torch

    names = [text.partition(":")[2].strip() for text in cpu_lines() if text.startswith("model name")]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def cpu_lines() -> list[str]:
    """What Linux says of the processor."""
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def shown(value: float) -> str:
    """A figure as people write it.

    >>> shown(1.894239), shown(18.07), shown(1132.4), shown(0.99996)
    ('1.89', '18.1', '1,132', '1.00')
    """
    if value == 0 or value != value:
        return f"{value:g}"
    value = float(f"{value:.{DIGITS}g}") if abs(value) < 10**DIGITS else value
    return f"{value:,.{max(DIGITS - 1 - floor(log10(abs(value))), 0)}f}"


def line(row: Row) -> str:
    """A row in a terminal."""
    missed = "missed" if row.missed else ""
    return f"{row.what:<64}{shown(row.measured):>9}  {row.goal:<8}{missed:<8}{row.note}".rstrip()
