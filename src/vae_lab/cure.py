"""``python -m vae_lab.cure run=DIR|latest``: try what the diagnosis proposes, until z is in use."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from vae_lab.checks import ArgumentError
from vae_lab.console import CommandLine, command, read_options, whole_number
from vae_lab.report.table import WIDE, say, show, terminal_width
from vae_lab.retraining.again import finished_run
from vae_lab.retraining.cure import Cure, content, cure, in_use, sentences
from vae_lab.runs.find import find_sweep
from vae_lab.runs.run import Run
from vae_lab.runs.sweep import Sweep

USAGE = """python -m vae_lab.cure [run=DIR|latest] [rounds=3] [seeds=3] [--allow MODULE]
python -m vae_lab.cure sweep=DIR|latest ...

Tries what the diagnosis of a collapsed run proposes, diagnoses again, and so on; then says what it cost.
  run             a run that collapsed, or latest, which is the default
  sweep           a sweep: each of its collapsed runs is cured
  rounds          how many changes are tried at most
  seeds           how many seeds before and after are trained, where a change has helped
  --allow MODULE  a module of your own that the model's networks come from; repeat it for more"""


def runs_of(options: Mapping[str, str]) -> list[Run]:
    """The runs to cure.

    Raises:
        ValueError: when there are none.
    """
    if not options["sweep"]:
        run = finished_run(options["run"] or "latest")
        if in_use(run):
            raise ArgumentError("run", run.directory, "needs no cure: its decoder uses z")
        return [run]
    directory: Path = find_sweep(options["sweep"])
    found = [run for run in Sweep.read(directory).runs if run.finished and not run.problem and not in_use(run)]
    if not found:
        raise ArgumentError("sweep", directory, "needs no cure: no run of it collapsed")
    return [finished_run(str(run.directory)) for run in found]


def report(found: Cure) -> None:
    """Print what became of a run."""
    show(content(found).rich(), terminal_width() or WIDE)
    say(sentences(found))


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, {"run": "", "sweep": "", "rounds": "3", "seeds": "3"})
    rounds = whole_number("rounds", options["rounds"], low=1)
    seeds = whole_number("seeds", options["seeds"], low=1)
    found: list[Cure] = []
    for run in runs_of(options):
        print(f"\nrun: {run.directory}" if found else f"run: {run.directory}", flush=True)
        found.append(cure(run, rounds, seeds))
        report(found[-1])
    if len(found) > 1:
        print(f"\n{sum(each.cured for each in found)} of {len(found)} runs were cured")
    last = found[-1]
    done = ["vae_lab.evaluate", *line.shared, f"run={last.after.runs[0].directory}", "k=5000"]
    open_ = ["vae_lab.probe", *line.shared, f"run={last.run.directory}"]
    print(f"next: {shlex.join(['python', '-m', *(done if last.cured else open_)])}")


if __name__ == "__main__":
    command(main, USAGE)
