"""The grid sweeper: Hydra's basic sweeper that checks every job before the first starts and compares them at the end.

It is a Hydra plugin, and so lies in Hydra's namespace package. Every launcher works below it.
"""

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf


@dataclass
class GridSweeperConf:
    """``params`` is an experiment's own grid, ``{key: "value,value"}``; the command line replaces its entries."""

    _target_: str = "hydra_plugins.vae_lab_grid_sweeper.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, Any] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="vae_lab")


def choices(overrides: Sequence[Override]) -> dict[str, list[str]]:
    """The values of each key as overrides, ``{"model.beta": ["model.beta=1", "model.beta=4"]}``; the last one wins."""
    found: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        one = [str(override.input_line)]
        many = override.is_sweep_override()
        found[key.lstrip("+~")] = [f"{key}={value}" for value in override.sweep_string_iterator()] if many else one
    return found


class GridSweeper(BasicSweeper):
    """Cartesian product of all swept values.

    An experiment's own grid may hold settings that a run has not, such as ``model.beta`` after ``model=info_vae`` on
    the command line: those are left out there, with a line that says so. What the person wrote is never left out.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, Any] | None = None) -> None:
        super().__init__(max_batch_size, params)
        self.known: dict[tuple[str, ...], set[str]] = {}  # what ``known_keys`` has found

    def sweep(self, arguments: list[str]) -> None:
        """Expand, check all jobs, launch them, compare the results on disk.

        Raises:
            ConfigError: before anything runs, for the first job that does not fit, or a directory that is in use.
            RunFailed: at the end, when runs failed.
        """
        from vae_lab import report
        from vae_lab.build import allow_flags
        from vae_lab.cli import Interrupted, RunFailed

        assert self.config is not None
        assert self.launcher is not None
        jobs, swept = self.expand(arguments)
        directory = Path(self.config.hydra.sweep.dir)
        check_directories(directory, jobs)
        self.check(jobs)
        directory.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, directory / "multirun.yaml")
        report.begin(directory, len(jobs), swept, [*allow_flags(), *sys.argv[1:]])
        size = self.max_batch_size or len(jobs)
        try:
            for start in range(0, len(jobs), size):
                self.launcher.launch(jobs[start : start + size], initial_job_idx=start)
        except Interrupted:
            report.finish(directory)
            raise
        failed = report.finish(directory)
        if failed:
            raise RunFailed(failed)

    def expand(self, arguments: list[str]) -> tuple[list[list[str]], list[str]]:
        """All jobs, each a list of overrides, and the keys that were swept.

        Raises:
            ConfigError: for two experiments at once, and for a key of the experiment's grid that no run has.
        """
        from vae_lab.checks import ConfigError
        from vae_lab.config import explain_key

        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        own = choices(parser.parse_overrides([f"{key}={value}" for key, value in (self.params or {}).items()]))
        given = choices(parser.parse_overrides(arguments))
        if len(given.get("experiment", [])) > 1:
            raise ConfigError(f"experiment={','.join(o.partition('=')[2] for o in given['experiment'])}: one at a time")
        grid = own | given
        optional = {key for key in own.keys() - given.keys() if "." in key}
        order = sorted(grid, key=lambda key: (key == "seed", key != "experiment"))  # its refinements come after it
        jobs: dict[tuple[str, ...], None] = {}
        for job in itertools.product(*(grid[key] for key in order)):
            pairs = list(zip(order, job, strict=True))
            known = self.known_keys(tuple(override for key, override in pairs if "." not in key))
            jobs[tuple(override for key, override in pairs if key not in optional or key in known)] = None
        used = {override.partition("=")[0].lstrip("+~") for job in jobs for override in job}
        everywhere = {key for key in optional if all(any(o.startswith(f"{key}=") for o in job) for job in jobs)}
        for key in sorted(optional - everywhere):
            if not self.is_setting(key):
                raise ConfigError(explain_key(key, arguments))
            print(f"note: {key} is swept by the experiment, but not in runs whose parts have no such setting")
        return [list(job) for job in jobs], [key for key in order if len(grid[key]) > 1 and key in used]

    def is_setting(self, key: str) -> bool:
        """Whether some option of its group has the key."""
        from vae_lab.config import options_with

        group, _, name = key.partition(".")
        return bool(options_with(group, name.partition(".")[0]))

    def known_keys(self, groups: tuple[str, ...]) -> set[str]:
        """Every dotted key of the config that these group choices compose."""
        if groups not in self.known:
            assert self.hydra_context is not None
            assert self.config is not None
            self.known[groups] = dotted(self.hydra_context.config_loader.load_sweep_config(self.config, list(groups)))
        return self.known[groups]

    def check(self, jobs: list[list[str]]) -> None:
        """Compose and build every job once.

        Raises:
            ConfigError: for the first job that does not fit.
        """
        from vae_lab.config import container
        from vae_lab.run import check, quieten

        quieten()
        assert self.hydra_context is not None
        assert self.config is not None
        for job in jobs:
            check(container(self.hydra_context.config_loader.load_sweep_config(self.config, job)))


def dotted(node: Any, prefix: str = "") -> set[str]:
    """The dotted paths of all entries of a config."""
    keys: set[str] = set()
    for name in node:
        keys.add(f"{prefix}{name}")
        if not OmegaConf.is_missing(node, name) and OmegaConf.is_dict(node._get_node(name)):
            keys |= dotted(node._get_node(name), f"{prefix}{name}.")
    return keys


def check_directories(sweep: Path, jobs: list[list[str]]) -> None:
    """Refuse a sweep directory that holds a sweep, and runs that would share a directory.

    Raises:
        ConfigError: naming the directory.
    """
    from vae_lab.checks import ConfigError
    from vae_lab.config import run_name
    from vae_lab.results import RESULT, SWEEP

    if (sweep / SWEEP).exists() or any(sweep.glob(f"*/{RESULT}")):
        raise ConfigError(f"hydra.sweep.dir={sweep}: holds a sweep already; name another directory")
    names = [run_name(job) for job in jobs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"two runs would share the directory {sweep / twice}; give each its own setting")
