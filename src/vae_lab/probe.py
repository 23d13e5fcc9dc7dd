"""``python -m vae_lab.probe run=DIR|latest``: is the objective to blame for a collapse, or the optimiser?"""

import shlex
from typing import cast

from vae_lab.checks import choice
from vae_lab.console import CommandLine, command, read_options, whole_number
from vae_lab.diagnosis.continuation import Start
from vae_lab.report.commands import arguments_of
from vae_lab.report.diagnosis import show_diagnosis
from vae_lab.retraining.again import finished_run
from vae_lab.retraining.probe import FEWEST, advice, probe
from vae_lab.runs.run import Run

USAGE = """python -m vae_lab.probe [run=DIR|latest] [seeds=3] [first=beta|free_bits] [--allow MODULE]

Trains a collapsed run again by continuation: in the first half of its steps from a small β (or from free bits) to its
own objective, in the second half with that, several seeds. If a lower loss is found with z in use, training had been
trapped; if all come back collapsed, the objective asks for collapse. The diagnosis of the run takes it into account.
  run             a run that collapsed, or latest, which is the default
  seeds           how many, 3 or more
  first           beta, or free_bits
  --allow MODULE  a module of your own that the model's networks come from; repeat it for more"""


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, {"run": "latest", "seeds": str(FEWEST), "first": "beta"})
    seeds = whole_number("seeds", options["seeds"], low=FEWEST)
    first = cast(Start, choice("first", options["first"], ("beta", "free_bits")))
    run = finished_run(options["run"])
    print(f"run: {run.directory}")
    shown = probe(run, seeds, first)
    again = Run.read(run.directory)
    assert again.diagnosis is not None
    show_diagnosis(again.diagnosis, arguments_of(run.directory))
    print(advice(shown))
    print(f"next: {shlex.join(['python', '-m', 'vae_lab.cure', *line.shared, f'run={run.directory}'])}")


if __name__ == "__main__":
    command(main, USAGE)
