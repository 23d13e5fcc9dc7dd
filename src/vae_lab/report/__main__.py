"""``python -m vae_lab.report sweep=DIR|latest``: the table of a sweep again, as text, Markdown or LaTeX."""

import sys
from collections.abc import Mapping
from pathlib import Path

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.console import CommandLine, command, read_options
from vae_lab.report.comparison import content
from vae_lab.report.figures import rounded
from vae_lab.report.front import marks
from vae_lab.report.matched import matched
from vae_lab.report.show import finish, show_sweep
from vae_lab.report.table import Content, show
from vae_lab.runs.find import find_sweeps
from vae_lab.runs.run import text
from vae_lab.runs.setting import settings_of
from vae_lab.runs.sweep import Sweep

USAGE = """python -m vae_lab.report [sweep=DIR,...|latest] [format=text|markdown|latex] [match=KEY rate=R [baseline=V]]

Prints the table of a sweep and writes its page report.html, its pictures, summary.csv and settings.csv again. It works
while the sweep is running, too.
  sweep     a sweep directory, or latest, which is the default; what belongs to several, sweep=DIR1,DIR2, is written
            into the working directory
  format    text, which is the default, markdown, or latex, which needs the package booktabs
  match     compares the values of KEY, such as model, by their distortion at the same rate
  rate      that rate, in nats per image; the distortion is interpolated between runs
  baseline  the value of KEY from which all others start: its runs count for each of them"""


def matched_content(sweep: Sweep, options: Mapping[str, str]) -> Content:
    """The table of ``match=KEY rate=R``.

    Raises:
        ValueError: for a key that was not swept, or a rate or baseline that cannot be.
    """
    key = choice("match", options["match"], sweep.keys)
    try:
        rate = number("rate", float(options["rate"]), low=0)
    except ValueError as error:
        raise ArgumentError("rate", options["rate"], "must be a finite number >= 0, in nats per image") from error
    settings = settings_of(sweep.runs, sweep.keys)
    if options["baseline"]:
        choice("baseline", options["baseline"], [text(setting.values, key) for setting in settings])
    found = matched(settings, key, rate, options["baseline"])
    cells = [[value, "outside" if d is None else rounded(d)] for value, d in found.items()]
    return Content([key, f"distortion at rate {rate:g}"], cells, words=0)


def main(line: CommandLine) -> None:
    """The command."""
    defaults = {"sweep": "latest", "format": "text", "match": "", "rate": "", "baseline": ""}
    options = read_options(line.overrides, defaults)
    form = choice("format", options["format"], ("text", "markdown", "latex"))
    directories = find_sweeps(options["sweep"])
    if form == "text" and not options["match"]:
        if len(directories) == 1:
            finish(directories[0])
        else:
            show_sweep(Sweep.joined(directories), Path())
        return
    sweep = Sweep.read(directories[0]) if len(directories) == 1 else Sweep.joined(directories)
    for reason in sweep.skipped:
        print(f"skipped {reason}", file=sys.stderr)
    found = sweep.runs, sweep.keys
    table = matched_content(sweep, options) if options["match"] else content(*found, marks(*found, sweep.search))
    if form == "text":
        show(table.rich())
    else:
        print(getattr(table, form)())


if __name__ == "__main__":
    command(main, USAGE)
