"""``python -m vae_lab.report sweep=DIR|latest``: the table of a sweep again, as text, Markdown or LaTeX."""

from pathlib import Path

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.console import CommandLine, command, read_options
from vae_lab.report.matched import matched
from vae_lab.report.show import finish
from vae_lab.report.table import Content, content, rounded, show
from vae_lab.runs.directory import SWEEP, latest
from vae_lab.runs.run import read_runs, swept_keys, text
from vae_lab.runs.setting import settings_of

USAGE = """python -m vae_lab.report [sweep=DIR|latest] [format=text|markdown|latex] [match=KEY rate=R [baseline=V]]

Prints the table of a sweep and writes its summary.csv and settings.csv again. It works while the sweep is running, too.
  sweep     a sweep directory, or latest, which is the default
  format    text, which is the default, markdown, or latex, which needs the package booktabs
  match     compares the values of KEY, such as model, by their distortion at the same rate
  rate      that rate, in nats per image; the distortion is interpolated between runs
  baseline  the value of KEY from which all others start: its runs count for each of them"""


def find_sweep(name: str) -> Path:
    """The sweep directory that a person names.

    Raises:
        ValueError: when there is none.
    """
    found = latest(SWEEP) if name == "latest" else Path(name).expanduser()
    if found is None or not any(found.glob("*/result.json")):
        raise ArgumentError("sweep", name, "holds no runs; make one: python -m vae_lab +experiment=collapse_sweep -m")
    return found


def main(line: CommandLine) -> None:
    """The command."""
    defaults = {"sweep": "latest", "format": "text", "match": "", "rate": "", "baseline": ""}
    options = read_options(line.overrides, defaults)
    form = choice("format", options["format"], ("text", "markdown", "latex"))
    sweep = find_sweep(options["sweep"])
    runs = read_runs(sweep)
    keys = swept_keys(sweep, runs)
    table = content(runs, keys)
    if options["match"]:
        choice("match", options["match"], keys)
        try:
            rate = number("rate", float(options["rate"]), low=0)
        except ValueError as error:
            raise ArgumentError("rate", options["rate"], "must be a finite number >= 0, in nats per image") from error
        settings = settings_of(runs, keys)
        if options["baseline"]:
            choice("baseline", options["baseline"], [text(s.values, options["match"]) for s in settings])
        found = matched(settings, options["match"], rate, options["baseline"])
        cells = [[value, "outside" if d is None else rounded(d)] for value, d in found.items()]
        table = Content([options["match"], f"distortion at rate {rate:g}"], cells, words=0)
    if form != "text":
        print(getattr(table, form)())
    elif options["match"]:
        show(table.rich())
    else:
        finish(sweep)


if __name__ == "__main__":
    command(main, USAGE)
