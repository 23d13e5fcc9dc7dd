"""Start-up: CPU time of ``--help``, of what comes before the first step, and of the check of many jobs.

    python benchmarks/startup.py

Each figure is of processes of their own, measured in turn. The first step is one whose loss is known: a run of one
step, less what a run does after it, would measure something else.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median

from results import Measurement, Row, measure
from timing import in_turn, python

LIBRARIES = "import torch, lightning"
FIRST_STEP = """
import os, sys
from vae_lab import callbacks
class FirstStep(callbacks.NonFiniteLoss):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        outputs["loss"].item()
        os._exit(0)
import vae_lab.training.fitting as fitting
fitting.NonFiniteLoss = FirstStep
from vae_lab.cli import main
sys.argv = ["vae_lab", "data=digits"]
main()
"""
CHECK = """
import sys
from vae_lab.config.loader import CONFIG, CheckedLoader
from hydra.types import RunMode
from vae_lab.sweep.checking import check_jobs
loader, jobs = CheckedLoader(), int(sys.argv[1])
values = [["+experiment=collapse_sweep", f"model.beta={1 + job // 10}", f"free_bits.epsilon={job % 10 / 10}"]
          for job in range(jobs)]
check_jobs(loader.load_configuration(CONFIG, job, RunMode.RUN) for job in values)
"""


def processes(*arguments: str) -> Callable[[], float]:
    """A call that gives the CPU seconds of a Python process with these arguments."""
    return lambda: python(*arguments).cpu


def one_run(rounds: int) -> list[Row]:
    """What comes before the first step of a run."""
    steps = {"libraries": processes("-c", LIBRARIES), "step": processes("-c", FIRST_STEP)}
    taken = in_turn({"help": processes("-m", "vae_lab", "--help"), **steps}, rounds)
    later = median(step - alone for step, alone in zip(taken["step"], taken["libraries"], strict=True))
    return [
        Row("vae-lab --help, s", median(taken["help"]), at_most=0.7),
        Row("import torch, lightning, s", median(taken["libraries"])),
        Row("first step of a digits run, s later than that", later, at_most=1.5),
    ]


def checks(jobs: int, rounds: int) -> list[Row]:
    """The check of a sweep."""
    taken = in_turn({str(count): processes("-c", CHECK, str(count)) for count in (1, jobs)}, rounds)
    first, all_of_them = (median(found) for found in taken.values())
    note = f"{1000 * (all_of_them - first) / (jobs - 1):.1f} ms for each job but the first"
    return [Row(f"check of {jobs} jobs, s, imports included", all_of_them, at_most=20, note=note)]


def measurements(options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured."""
    yield Measurement("one run", one_run, rounds=1 if options.small else 3)
    yield Measurement("check", partial(checks, 20 if options.small else 500), rounds=3 if options.full else 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    measure("startup", measurements, __doc__, arguments)


if __name__ == "__main__":
    main()
