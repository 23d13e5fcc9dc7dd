"""``resume=DIRECTORY``: the command line that a run or a sweep directory stands for.

What is recorded there is data, perhaps a stranger's. It goes through all checks of a typed command line, and it decides
nothing that a person decides by typing: which modules are allowed, and what Hydra launches.
"""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from vae_lab.checks import ArgumentError, ConfigError
from vae_lab.config.changes import LENGTHS
from vae_lab.config.loader import CONFIG, CheckedLoader
from vae_lab.config.names import key_and_text, quoted
from vae_lab.config.options import options_of
from vae_lab.config.recorded import recorded
from vae_lab.console import CommandLine, read_command_line
from vae_lab.runs.find import LATEST, ROOTS, newest
from vae_lab.runs.names import RESULT, SWEEP
from vae_lab.runs.result import Result
from vae_lab.runs.state import ENDED, check_plain
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.directory import check_names
from vae_lab.sweep.jobs import choices

RESUME = "resume"
OVERRIDES = Path(".hydra") / "overrides.yaml"  # of a run, as Hydra records them
SWEEPER = "hydra/sweeper"
SEARCHES = f"{SWEEPER}=optuna"
SEARCH = ("objectives", "trials", "sampler", "seed", "at_once")  # settings of it that its record holds
SUBDIR = "hydra.sweep.subdir"  # the only setting of Hydra's that a record decides: the names of its own folders


def split_resume(overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """The directory behind ``resume=``, None where there is none, and the other overrides.

    Example:
        >>> split_resume(["seed=1", "resume=latest"])
        ('latest', ['seed=1'])
    """
    named = [text for key, text in map(key_and_text, overrides) if key == RESUME]
    return (named[-1] if named else None), [o for o in overrides if key_and_text(o)[0] != RESUME]


def resume_command(directory: Path, options: Sequence[str], many: bool) -> str:
    """The command that takes up a run, or a sweep of ``many``.

    Example:
        >>> resume_command(Path("multirun/a"), ["--allow=my_nets"], many=True)
        'python -m vae_lab --allow=my_nets -m resume=multirun/a'
    """
    return shlex.join(["python", "-m", "vae_lab", *options, *(["-m"] if many else []), f"{RESUME}={directory}"])


def find_directory(name: str, many: bool) -> Path:
    """The run directory, or that of a sweep of ``many``, that a person names; ``latest`` is the newest.

    Raises:
        ArgumentError: when there is none, or it is one of the other kind.
    """
    file, other = (SWEEP, RESULT) if many else (RESULT, SWEEP)
    kind = "sweep" if many else "run"
    directory = next(newest(file), None) if name == LATEST else Path(name).expanduser()
    if directory is None:
        raise ArgumentError(
            RESUME, name, f"no {kind} in {' or '.join(f'{root}/' for root in ROOTS)} below {Path.cwd()}"
        )
    if not directory.is_dir():
        raise ArgumentError(RESUME, name, "no such directory")
    begun = not many and (directory / OVERRIDES).is_file()
    if not (directory / file).is_file() and not begun:
        hint = ""
        if (directory / other).is_file():
            hint = "; it is a run, leave -m out" if many else "; it is a sweep, add -m"
        raise ArgumentError(RESUME, name, f"holds no {file}, so it is no {kind} directory{hint}")
    return directory


def is_settled(run: Path, typed: Sequence[str]) -> str:
    """In words, that a run has ended and that nothing typed makes it longer; empty where it is to go on.

    Raises:
        RecordError: when its record cannot be read.
    """
    if not (run / RESULT).exists() or (result := Result.read(run)).status not in ENDED:
        return ""
    if result.status == "diverged":
        return f"{run}: has diverged, so it does not go on: {result.reason}"
    longer = any(key_and_text(override)[0] in LENGTHS for override in typed)
    return "" if longer else f"{run}: has finished; trainer.max_steps=N makes it longer than its {result.steps} steps"


def run_again(line: CommandLine, run: Path, typed: Sequence[str]) -> CommandLine:
    """The command line that takes up a run: its recorded settings, with those that are typed in their place.

    Raises:
        ConfigError: when the directory holds links, or its settings cannot be read.
    """
    check_plain(run)
    overrides = recorded(run / OVERRIDES)
    if overrides is None:
        raise ConfigError(f"{run / OVERRIDES}: is missing, so the settings of the run are not known")
    old = read_command_line(options_of(run))
    taken, left = what_counts([str(override) for override in overrides], old, line)
    say_what_is_left(left)
    keys = {key_and_text(override)[0] for override in typed}
    kept = [override for override in taken if key_and_text(override)[0] not in keys]
    where = f"hydra.run.dir={quoted(str(run))}"
    return replace(line, config_dir=line.config_dir or old.config_dir, overrides=[*kept, *typed, where])


def sweep_again(line: CommandLine, sweep: Path, typed: Sequence[str]) -> CommandLine:
    """The command line that takes up a sweep: the recorded one, and what is typed adds values to what it swept.

    Raises:
        RecordError: when ``sweep.json`` cannot be read.
        ConfigError: for names that lead elsewhere, and for settings that this sweep does not sweep.
    """
    record = SweepRecord.read(sweep)
    check_names(sweep, record.jobs)
    old = read_command_line(record.arguments)
    taken, left = what_counts(old.overrides, old, line)
    say_what_is_left(left)
    line = replace(line, config_dir=line.config_dir or old.config_dir)
    own = [override for override in typed if is_hydra(override)]
    merged = with_values(taken, [o for o in typed if o not in own], record, line.config_dir)
    where = ["hydra.sweeper.resume=true", f"hydra.sweep.dir={quoted(str(sweep))}"]
    return replace(line, overrides=[*merged, *sweeper_of(record, own), *own, *where])


def sweeper_of(record: SweepRecord, typed: Sequence[str]) -> list[str]:
    """The sweeper that goes on with a sweep, where it is not that of a grid, and is not typed."""
    return [SEARCHES] if record.search and not any(key_and_text(o)[0] == SWEEPER for o in typed) else []


def is_hydra(override: str) -> bool:
    """Whether an override is of Hydra's own part."""
    return key_and_text(override)[0].startswith(("hydra.", "hydra/", "hydra@"))


def what_counts(before: Sequence[str], old: CommandLine, line: CommandLine) -> tuple[list[str], list[str]]:
    """The recorded overrides that are taken, and what of the record is left to be typed again."""
    taken = [o for o in before if not is_hydra(o) or key_and_text(o)[0] == SUBDIR]
    left = [o for o in before if o not in taken and not is_set_here(o) and o not in line.overrides]
    return taken, [*(f"--allow={name}" for name in old.modules if name not in line.modules), *left]


def is_set_here(override: str) -> bool:
    """Whether a recorded override is one of those that taking up sets; how a search searches is in its record."""
    key = key_and_text(override)[0]
    searches = key.startswith("hydra.sweeper.") and key.split(".")[2] in SEARCH
    return (
        searches
        or override == SEARCHES
        or key in ("hydra.sweep.dir", "hydra.run.dir", "hydra.mode", "hydra.sweeper.resume")
    )


def say_what_is_left(left: Iterable[str]) -> None:
    """Say what a record holds that only a person may decide."""
    if found := " ".join(left):
        print(f"note: the record has {found}, which only counts when it is typed again", flush=True)


def with_values(taken: Sequence[str], typed: Sequence[str], record: SweepRecord, config_dir: Path | None) -> list[str]:
    """The recorded overrides with the typed values added to those of their keys.

    Raises:
        ConfigError: for a setting that was not swept, or another value of what all runs share.
    """
    new = [override for override in typed if override not in taken]
    if new and record.search:
        allowed = "a search keeps its space and its settings; hydra.sweeper.trials=N makes it longer"
        raise ConfigError.setting(*key_and_text(new[0]), allowed)
    for key, text in map(key_and_text, new):
        if key not in record.swept:
            allowed = f"this sweep does not sweep it; it sweeps {', '.join(record.swept) or 'nothing'}"
            raise ConfigError.setting(key, text, allowed)
    if not new:
        return list(taken)
    loader = CheckedLoader(config_dir)
    params = loader.load_configuration(CONFIG, list(taken), RunMode.MULTIRUN).hydra.sweeper.params or {}
    parser = OverridesParser.create(config_loader=loader)
    known = choices(parser.parse_overrides([f"{key}={value}" for key, value in params.items()]))
    known |= choices(parser.parse_overrides(list(taken)))
    merged = {key_and_text(override)[0]: override for override in taken}
    for override, parsed in zip(new, parser.parse_overrides(new), strict=True):
        key = key_and_text(override)[0]
        values = dict.fromkeys(o.partition("=")[2] for o in (*known[key], *choices([parsed])[key]))
        merged[key] = f"{override.partition('=')[0]}={','.join(values)}"
    return list(merged.values())
