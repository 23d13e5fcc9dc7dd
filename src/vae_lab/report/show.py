"""What a person sees when a run or a sweep ends, and the files that a sweep leaves beside its runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vae_lab.checks import one_line, printable
from vae_lab.report.commands import after_run, after_sweep
from vae_lab.report.comparison import content, runs_content
from vae_lab.report.figures import cell
from vae_lab.report.front import marks
from vae_lab.report.oracle import show_oracle
from vae_lab.report.page.pictures import write_pictures
from vae_lab.report.page.write import write_page
from vae_lab.report.summary import setting_row, skipped_row, summary_row, write_csv
from vae_lab.report.table import say, show_content
from vae_lab.report.words import sentences
from vae_lab.runs.names import RESULT
from vae_lab.runs.result import Result
from vae_lab.runs.run import STOPPED, Run, text
from vae_lab.runs.setting import settings_of
from vae_lab.runs.sweep import Sweep

SUMMARY, SETTINGS = "summary.csv", "settings.csv"
IN_ONE_LINE = ("ELBO", "KL (rate)", "distortion")


def finish(directory: Path) -> str:
    """Show a sweep, leave its files in its directory and name the next command; returns what failed, if anything."""
    sweep = Sweep.read(directory)
    failed = show_sweep(sweep, directory)
    seeded = any(len(setting.runs) > 1 for setting in settings_of(sweep.runs, sweep.keys))
    if sweep.runs and (command := after_sweep(sweep, seeded)):
        print(f"next: {command}")
    return failed


def show_sweep(sweep: Sweep, folder: Path) -> str:
    """Print table and words, write tables, pictures and page into a folder; returns what failed, empty if nothing."""
    runs, keys = sweep.runs, sweep.keys
    say(f"skipped {reason}" for reason in sweep.skipped)
    if not runs:
        return f"no run of {sweep.directory} left a result that can be read"
    settings, marked = settings_of(runs, keys), marks(runs, keys, sweep.search)
    rows = [*(summary_row(run, keys, marked) for run in runs), *map(skipped_row, sweep.skipped)]
    written = write_tables(folder, {SUMMARY: rows, SETTINGS: [setting_row(setting) for setting in settings]})
    seeded = any(len(setting.runs) > 1 for setting in settings)
    show_content(content(runs, keys, marked), SETTINGS if seeded else SUMMARY)
    say(sentences(runs, keys, sweep.search))
    if sweep.waiting:
        print(f"{sweep.waiting} of {len(sweep.record.jobs if sweep.record else [])} runs have not started.")
    print(written)
    print("\n".join(line for line in (write_pictures(sweep, folder), write_page(sweep, folder)) if line))
    failed = [run.name for run in runs if run.status in ("failed", STOPPED)]
    return f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}" if failed else ""


def write_tables(directory: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Write rows as files of these names; returns where they are, or why they are not."""
    try:
        for name, rows in tables.items():
            write_csv(directory / name, rows)
    except OSError as error:
        return f"tables not written: {one_line(error)}"
    return f"table: {directory / SUMMARY}  settings: {directory / SETTINGS}"


def summary_line(result: Result) -> str:
    """A run in one line."""
    run = Run(Path(), result)
    seconds = f"{result.seconds or 0:.1f} s"
    if not run.finished:
        return f"{printable(run.ending)}; {seconds}"
    shown = ", ".join(f"{title} {cell(run, title)}" for title in IN_ONE_LINE)
    return f"{shown}; collapse: {run.collapse}; {seconds}"


def show_run(directory: Path, result: Result) -> None:
    """Print the result of a single run, and the next useful command."""
    run = Run(directory, result)
    if run.overrides:
        print(", ".join(f"{key}={text(run.overrides, key)}" for key in run.overrides))
    show_content(runs_content([run], []), RESULT)
    if run.finished:
        say(more_figures(result))
    if result.theory:
        show_oracle(result)
    elif result.objective and result.objective.linear:
        print("no closed form is known for a linear VAE with this loss, likelihood and data")
    say(sentences([run], []))
    print(f"run directory: {directory}")
    if command := after_run(run):
        print(f"next: {command}")


def more_figures(result: Result) -> list[str]:
    """The figures of a finished run that its table does not have."""
    distortion, mean_image = result.figure("distortion") or 0.0, result.figure("distortion_mean_image") or 0.0
    lines = [
        f"figures of {result.checkpoint} (step {result.checkpoint_step}); a constant mean image has distortion "
        f"{mean_image:.2f}, this model {distortion:.2f}"
    ]
    if (nll := result.figure("nll")) is not None:
        lines.append(f"importance-weighted NLL (K = {result.importance_samples}) {nll:.2f} nats per image")
    return lines
