"""The directory of a sweep: what may lie in it before, and which of its jobs still have to run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from vae_lab.checks import ConfigError
from vae_lab.config.changes import LENGTHS, changes, differs, recorded_config, written
from vae_lab.runs.lock import owner
from vae_lab.runs.names import RESULT, SWEEP
from vae_lab.runs.state import check_plain, refuse_link, state_of


def check_names(sweep: Path, names: Sequence[str]) -> None:
    """Refuse runs that would share a directory, or lie elsewhere than side by side in that of the sweep.

    Raises:
        ConfigError: naming the directory.
    """
    for name in names:
        if name in ("", "..") or Path(name).name != name:
            raise ConfigError.setting("hydra.sweep.subdir", name, "must be the name of one folder")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"two runs would share the directory {sweep / twice}; give each its own setting")


def check_free(sweep: Path) -> None:
    """Refuse a directory that holds a sweep, or a run.

    Raises:
        ConfigError: naming the directory.
    """
    if (sweep / SWEEP).exists() or (sweep / RESULT).exists() or any(sweep.glob(f"*/{RESULT}")):
        allowed = f"holds a sweep already; name another directory, or go on with it: -m resume={sweep}"
        raise ConfigError.setting("hydra.sweep.dir", sweep, allowed)


def to_do(sweep: Path, names: Sequence[str], configs: Iterable[DictConfig]) -> list[int]:
    """Which jobs of a sweep that is taken up still have to run, by number; one that is at it elsewhere is said.

    Raises:
        ConfigError: for a run directory that holds links, other settings than its job, or a record of another vae_lab.
    """
    found = []
    for number, (name, config) in enumerate(zip(names, configs, strict=True)):
        run = sweep / name
        try:
            refuse_link(run)
            check_plain(run)
            state = state_of(run)
            check_recorded(run, config, ended=state == "ended")
        except ValueError as error:
            raise error if str(run) in str(error) else ConfigError(f"{run}: {error}") from error
        if state == "busy":
            print(f"note: {name} is left out: {owner(run)} is at it", flush=True)
        elif state == "open":
            found.append(number)
    return found


def check_recorded(run: Path, config: DictConfig, ended: bool) -> None:
    """Refuse a run directory whose recorded config is not this one; one that has ended may be of another length.

    Raises:
        ConfigError: naming the first setting that differs.
    """
    now = written(config)
    for key, (then, later) in changes(recorded_config(run) or now, now).items():
        if not (ended and key in LENGTHS):
            raise differs(key, then, later)
