"""All that the programs beside this one have measured, in one table: printed, and written to ``results/table.md``.

    python benchmarks/table.py

Results of several machines make a table each. A row has a date of its own where not all are of one day.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from results import MACHINE, RESULTS, Row, line, shown

PROGRAMS = {  # in the order of the table
    "startup": "Start-up",
    "scale": "Many runs in one process",
    "launchers": "A sweep",
    "stacked": "The step of a stack",
    "training": "One run",
    "breakdown": "What watching costs",
    "monitor": "`CollapseMonitor` in a loop of one's own",
    "nll": "Importance-weighted NLL",
    "compiled": "`trainer.compile` and bf16",
    "gpu": "GPU",
}
BUSY = 0.5  # load beyond the cores, which the measurement itself fills
HEAD = "| | measured | goal | |\n|---|---|---|---|"


class Result(NamedTuple):
    """A row, and where it comes from."""

    program: str
    machine: dict[str, Any]
    row: Row

    @property
    def place(self) -> str:
        """The machine in words."""
        about = self.machine
        torch = f"Python {about['python']}, torch {about['torch']}"
        return ", ".join(filter(None, [about["gpu"], f"{about['cores']} cores of {about['processor']}", torch]))

    @property
    def title(self) -> str:
        """The title of the program."""
        on_cpu = self.program == "gpu" and self.machine["gpu"] is None
        return PROGRAMS[self.program] + (", but here its program on the CPU, at small sizes" if on_cpu else "")

    @property
    def when(self) -> str:
        """The day."""
        day = date.fromisoformat(self.machine["date"][:10])
        return f"{day.day} {day:%B %Y}"

    @property
    def busy(self) -> str:
        """What to say of a machine that had other work."""
        load, cores = self.machine["load"], self.machine["cores"]
        return f"load {load:g} on {cores} cores" if load > cores + BUSY else ""


def gathered(folder: Path) -> list[Result]:
    """All results, by machine, and by program."""
    found = []
    for program in PROGRAMS:
        file = folder / f"{program}.json"
        for kept in json.loads(file.read_text()).values() if file.exists() else ():
            found += [Result(program, kept["machine"], Row(**row)) for row in kept["rows"]]
    return sorted(found, key=lambda result: [str(result.machine[key]) for key in MACHINE])


def markdown(found: Sequence[Result]) -> str:
    """The tables as Markdown."""
    parts = ["<!-- written by benchmarks/table.py -->"]
    for place, results in groupby(found, key=lambda result: result.place):
        parts += table(place, list(results))
    return "\n".join(parts) + "\n"


def table(place: str, results: Sequence[Result]) -> list[str]:
    """The lines of one machine's table."""
    days = [result.when for result in results]
    usual = max(days, key=days.count)
    lines = [f"{place}; {usual} where no other date stands.", "", HEAD]
    for title, of_program in groupby(results, key=lambda result: result.title):
        lines.append(f"| **{title}** | | | |")
        for result in of_program:
            row, when = result.row, result.when if result.when != usual else ""
            note = "; ".join(filter(None, [row.note, when, result.busy]))
            goal = f"{row.goal}, missed" if row.missed else row.goal
            cells = (row.what, shown(row.measured), goal, note)
            lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they are kept")
    folder = parser.parse_args(arguments).results
    found = gathered(folder)
    for title, results in groupby(found, key=lambda result: result.title):
        print(f"\n{title}")
        print("\n".join(line(result.row) for result in results))
    file = folder / "table.md"
    file.write_text(markdown(found))
    print(f"\ntable: {file}")


if __name__ == "__main__":
    main()
