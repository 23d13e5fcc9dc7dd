"""How much faster ``hydra/launcher=stacked`` is than Hydra's basic launcher, and what a stacked step costs by its size.

    python benchmarks/stacked.py                      digits, 32 jobs: β × ε × seed
    python benchmarks/stacked.py --data mnist --root DIR --jobs 8 --steps 600
    python benchmarks/stacked.py --device gpu --data mnist --root DIR --jobs 64
    python benchmarks/stacked.py --small              a few seconds, to see that it works

The same sweep is run by both launchers in turn, imports, checks, evaluation and report included. It prints the seconds
by the clock and those of the processor (user and system, all processes), and the ratios of the medians. ``--sizes``
times the bare step of stacks of 1, 2, 4, ... models of the same form. Everything goes to ``benchmarks/results/`` too.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

LAUNCHERS = ("basic", "stacked")
RESULTS = Path(__file__).parent / "results"
BETAS, EPSILONS = "0.5,1,2,4", "0,0.25"
SETTINGS = 8  # β × ε
REPETITIONS = 20  # of a step


def sweep(options: argparse.Namespace) -> list[str]:
    """The overrides of the sweep."""
    seeds = ",".join(map(str, range(max(options.jobs // SETTINGS, 1))))
    betas = BETAS if options.jobs >= SETTINGS else "1,4"
    root = [f"data.root={options.root}"] if options.root else []
    return [
        *(f"data={options.data}", *root, "free_bits=dimension", f"model.beta={betas}"),
        *(f"free_bits.epsilon={EPSILONS}", f"seed={seeds}", f"trainer.max_steps={options.steps}"),
        *(f"trainer.accelerator={options.device}", *options.overrides),
    ]


def cost(launcher: str, overrides: Sequence[str], threads: int) -> dict[str, float]:
    """Seconds of a sweep by the clock and of the processor, from the start of the command to its end."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "vae_lab", "-m", f"hydra/launcher={launcher}", *overrides]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env=environment)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    for line in done.stdout.splitlines():
        if "trained alone" in line:
            print(f"  {line}")
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"clock": seconds, "processor": processor}


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Both launchers in turn; their costs, and the ratios of the medians."""
    found: dict[str, Any] = {launcher: [] for launcher in LAUNCHERS}
    for _ in range(options.rounds):
        for launcher in LAUNCHERS:
            found[launcher].append(taken := cost(launcher, sweep(options), options.threads))
            print(f"{launcher:>8}  {taken['clock']:7.1f} s   processor {taken['processor']:7.1f} s", flush=True)
    for kind in ("clock", "processor"):
        basic, stacked = (median(taken[kind] for taken in found[launcher]) for launcher in LAUNCHERS)
        found[f"{kind} ratio"] = round(basic / stacked, 2)
        print(f"{kind}: basic {basic:.1f} s, stacked {stacked:.1f} s; stacked is {basic / stacked:.2f} times as fast")
    return found


def sizes(options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds per model of the bare step (pass and gradients) of stacks of growing size."""
    import torch

    from vae_lab.config.compose import compose_config
    from vae_lab.stacking.feed import Feed
    from vae_lab.stacking.model import StackedModel
    from vae_lab.training.assembly import assemble

    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if options.device == "gpu" else "cpu")
    root = [f"data.root={options.root}"] if options.root else []
    found = {}
    for power in range(options.sizes.bit_length()):
        shared = [f"data={options.data}", *root, *options.overrides]
        made = [assemble(compose_config([*shared, f"seed={seed}"])) for seed in range(2**power)]
        stack = StackedModel([parts.model.to(device).train() for parts in made])
        feed = Feed(stack, [parts.data for parts in made])
        each = [seconds_of_step(stack, feed, step) for step in range(REPETITIONS)]
        found[str(2**power)] = round(1e3 * median(each[REPETITIONS // 4 :]) / 2**power, 4)
        print(f"stack of {2**power:>3}: {found[str(2**power)]:.3f} ms per model and step", flush=True)
    return found


def seconds_of_step(stack: Any, feed: Any, step: int) -> float:
    """The seconds of one step; on the CPU those of the processor."""
    clock = time.process_time if feed.like.device.type == "cpu" else time.perf_counter
    began = clock()
    loss = stack(feed.batch(step), feed.noise(step)).loss.sum()
    loss.backward()
    loss.item()
    for parameter in stack.parameters.values():
        parameter.grad = None
    return clock() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="a data set of conf/data (default: digits)")
    parser.add_argument("--root", default=None, help="its root")
    parser.add_argument("--jobs", type=int, default=32, help="4, or a multiple of 8")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="OMP_NUM_THREADS")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--sizes", type=int, default=32, help="the largest stack whose step is timed; 0: none")
    parser.add_argument("--small", action="store_true", help="4 jobs, 40 steps, one round, stacks up to 2")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("overrides", nargs="*", help="further KEY=VALUE")
    options = parser.parse_args(arguments)
    if options.small:
        options.jobs, options.steps, options.rounds, options.sizes = 4, 40, 1, 2
    about = {name: value for name, value in vars(options).items() if name != "results"}
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "date": datetime.now(UTC).isoformat()}
    found = {"options": about, "machine": machine, "launchers": compare(options), "step": sizes(options)}
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / f"stacked_{options.data}_{options.device}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written to {file}")


if __name__ == "__main__":
    main()
