"""What a person sees when a run or a sweep ends, and the files that a sweep leaves beside its runs."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_lab.config.build import allow_flags
from vae_lab.report.oracle import show_oracle
from vae_lab.report.summary import FIGURES, setting_row, summary_row, write_csv
from vae_lab.report.table import cell, show_runs
from vae_lab.report.words import sentences
from vae_lab.runs.directory import SWEEP, read_json
from vae_lab.runs.run import Run, read_runs, swept_keys, text
from vae_lab.runs.setting import settings_of


def finish(sweep: Path) -> str:
    """Write ``summary.csv`` and ``settings.csv``, print table and words; returns what failed, empty if nothing."""
    runs = read_runs(sweep)
    if not runs:
        return f"no run of {sweep} left a result"
    keys = swept_keys(sweep, runs)
    settings = settings_of(runs, keys)
    write_csv(sweep / "summary.csv", [summary_row(run, keys) for run in runs])
    write_csv(sweep / "settings.csv", [setting_row(setting) for setting in settings])
    seeded = any(len(setting.runs) > 1 for setting in settings)
    show_runs(runs, keys)
    for line in sentences(runs, keys):
        print(line)
    print(f"table: {sweep / 'summary.csv'}  settings: {sweep / 'settings.csv'}")
    print(f"next: {next_sweep(sweep, seeded)}")
    failed = [run.directory.name for run in runs if run.status == "failed"]
    return f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}" if failed else ""


def summary_line(result: Mapping[str, Any]) -> str:
    """A run in one line."""
    run = Run(Path(), result)
    if run.status != "finished":
        return f"{run.status}: {result.get('reason')}; {result['seconds']:.1f} s"
    shown = ", ".join(f"{title} {cell(run, title, FIGURES[title])}" for title in ("ELBO", "KL (rate)", "distortion"))
    return f"{shown}; {run.verdict}; {result['seconds']:.1f} s"


def show_run(directory: Path, result: Mapping[str, Any]) -> None:
    """Print the result of a single run, and the next useful command."""
    run = Run(directory, result)
    if run.overrides:
        print(", ".join(f"{key}={text(run.overrides, key)}" for key in run.overrides))
    show_runs([run], [])
    if run.status == "finished":
        metrics = result["metrics"]
        print(
            f"figures of {result['checkpoint']}; a constant mean image has distortion "
            f"{metrics['test/distortion_mean_image']:.2f}, this model {metrics['test/distortion']:.2f}"
        )
        if "test/nll" in metrics:
            samples = result.get("importance_samples", "unknown")
            print(f"importance-weighted NLL (K = {samples}) {metrics['test/nll']:.2f} nats per image")
        if "test/bits_per_dim" in metrics:
            print(f"{metrics['test/bits_per_dim']:.3f} bits per dimension, from the ELBO")
    if "theory" in result:
        show_oracle(result)
    elif (result.get("objective") or {}).get("linear"):
        print(
            "no closed form is known for this linear VAE: its loss, likelihood or data are none that vae_lab can solve"
        )
    for line in sentences([run], []):
        print(line)
    print(f"run directory: {directory}")
    print(f"next: {next_command(run)}")


def next_sweep(sweep: Path, seeded: bool) -> str:
    """What a person would most likely want to do after a sweep: more seeds, or a closer look at a run."""
    arguments = (read_json(sweep / SWEEP) or {}).get("arguments")
    if arguments and not seeded:
        kept = [argument for argument in arguments if not argument.startswith(("hydra.sweep.dir=", "seed="))]
        return shlex.join(["python", "-m", "vae_lab", *kept, "seed=0,1,2"])
    return f"python -m vae_lab.evaluate run='{sweep}/RUN' k=5000"


def next_command(run: Run) -> str:
    """What a person would most likely want to do now."""
    if run.status == "diverged":
        return "the same with optimizer.lr=1e-4 or trainer.gradient_clip_val=1"
    if run.collapsed:
        return f"python -m vae_lab.diagnose run='{run.directory}'"
    return shlex.join(["python", "-m", "vae_lab.evaluate", f"run={run.directory}", "k=5000", *allow_flags()])
