"""Start-up and scale: CPU time of ``--help``, of what comes before the first step, and of the check of many jobs.

    python benchmarks/startup.py [--jobs 500] [--rounds 5]

Each figure is of processes of their own, measured in turn. The first step is one whose loss is known: a run of one
step, less what a run does after it, would measure something else.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from statistics import median

from timing import children_cpu, in_turn, report

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


def of_process(*arguments: str) -> float:
    """CPU seconds of a Python process with these arguments."""
    before = children_cpu()
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([sys.executable, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return children_cpu() - before


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=500, help="of the sweep that is checked")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    calls = {
        "help": lambda: of_process("-m", "vae_lab", "--help"),
        "libraries": lambda: of_process("-c", LIBRARIES),
        "step": lambda: of_process("-c", FIRST_STEP),
    }
    taken = in_turn(calls, options.rounds)
    later = median(step - alone for step, alone in zip(taken["step"], taken["libraries"], strict=True))
    checks = in_turn({"check": lambda: of_process("-c", CHECK, str(options.jobs))}, min(options.rounds, 3))
    alone = median(taken["libraries"])
    rows = [
        {"what": "vae-lab --help, s", "measured": median(taken["help"]), "goal": 0.7},
        {"what": "import torch, lightning, s", "measured": alone},
        {"what": "first step of a digits run, s later than that", "measured": later, "goal": 1.5},
        {
            "what": f"check of {options.jobs} jobs, s, imports included",
            "measured": median(checks["check"]),
            "goal": 20.0,
            "note": f"{1000 * (median(checks['check']) - alone) / options.jobs:.1f} ms a job beside the imports",
        },
    ]
    report("startup", rows)


if __name__ == "__main__":
    main()
