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

    def sweep(self, arguments: list[str]) -> None:
        """Expand, check all jobs, launch them, compare the results on disk.

        Raises:
            ConfigError: before anything runs, for the first job that does not fit.
            RunFailed: at the end, when runs failed.
        """
        from vae_lab import report
        from vae_lab.cli import Interrupted, RunFailed

        assert self.config is not None
        assert self.launcher is not None
        jobs, swept = self.expand(arguments)
        self.check(jobs)
        directory = Path(self.config.hydra.sweep.dir)
        directory.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, directory / "multirun.yaml")
        report.begin(directory, len(jobs), swept, sys.argv[1:])
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
        """All jobs, each a list of overrides, and the keys that were swept."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        own = choices(parser.parse_overrides([f"{key}={value}" for key, value in (self.params or {}).items()]))
        given = choices(parser.parse_overrides(arguments))
        grid = own | given
        optional = own.keys() - given.keys()
        order = [*(key for key in grid if key != "seed"), *(["seed"] if "seed" in grid else [])]
        jobs: dict[tuple[str, ...], None] = {}
        left_out: dict[str, None] = {}
        for job in itertools.product(*(grid[key] for key in order)):
            pairs = list(zip(order, job, strict=True))
            known = self.known_keys(tuple(o for key, o in pairs if key not in optional or "." not in key))
            misfits = {key for key, _ in pairs if key in optional and "." in key and key not in known}
            left_out |= dict.fromkeys(key for key in order if key in misfits)
            jobs[tuple(override for key, override in pairs if key not in misfits)] = None
        for key in left_out:
            print(f"note: {key} is swept by the experiment, but not in runs whose parts have no such setting")
        return [list(job) for job in jobs], [key for key in order if len(grid[key]) > 1]

    def known_keys(self, overrides: tuple[str, ...]) -> set[str]:
        """Every dotted key of the config that these overrides compose."""
        cache: dict[tuple[str, ...], set[str]] = self.__dict__.setdefault("_known", {})
        groups = tuple(o for o in overrides if "." not in o.partition("=")[0])
        if groups not in cache:
            assert self.hydra_context is not None
            assert self.config is not None
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(groups))
            cache[groups] = {
                f"{top}.{name}" for top in config if OmegaConf.is_dict(config[top]) for name in config[top]
            }
        return cache[groups]

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
