"""How much faster ``hydra/launcher=local`` is than Hydra's basic launcher, imports included, measured in turn.

``python benchmarks/launchers.py [--rounds N] [OVERRIDE ...]``: the sweep is ``collapse_sweep`` unless overrides say
otherwise. It prints each round's seconds by the clock, and the ratio of the medians.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from statistics import median

LAUNCHERS = ("basic", "local")


def seconds(launcher: str, overrides: list[str]) -> float:
    """How long a sweep takes, from the start of the command to its end."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "vae_lab", "-m", f"hydra/launcher={launcher}", *overrides]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=["+experiment=collapse_sweep"])
    options = parser.parse_args()
    taken: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
    for _ in range(options.rounds):
        for launcher in LAUNCHERS:
            taken[launcher].append(seconds(launcher, options.overrides))
            print(f"{launcher} {taken[launcher][-1]:.1f} s", flush=True)
    basic, local = (median(taken[launcher]) for launcher in LAUNCHERS)
    print(f"medians: basic {basic:.1f} s, local {local:.1f} s; local is {basic / local:.2f} times as fast")


if __name__ == "__main__":
    main()
