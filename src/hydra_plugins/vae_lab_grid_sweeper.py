"""The grid sweeper: Hydra's basic sweeper that checks every job before the first starts and compares them at the end.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it sweeps. Every launcher works below it.
"""

import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict


@dataclass
class GridSweeperConf:
    """``params`` is an experiment's own grid, ``{key: "value,value"}``; the command line replaces its entries."""

    _target_: str = "hydra_plugins.vae_lab_grid_sweeper.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, Any] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="vae_lab")


class GridSweeper(BasicSweeper):
    """Cartesian product of all swept values; see ``vae_lab.sweep.grid.expand``."""

    def sweep(self, arguments: list[str]) -> None:
        """Expand, check all jobs, launch them, compare the results on disk.

        Raises:
            ConfigError: before anything runs, for the first job that does not fit, or a directory that is in use.
            RunFailed: at the end, when runs failed.
        """
        from vae_lab.checks import Interrupted, RunFailed
        from vae_lab.config.build import allow_flags
        from vae_lab.config.compose import container
        from vae_lab.report.show import finish
        from vae_lab.sweep.grid import check_directories, dotted, expand
        from vae_lab.sweep.record import begin, end
        from vae_lab.training.coefficients import sweep_warning
        from vae_lab.training.run import check
        from vae_lab.training.trainer import quieten

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        known_keys = cache(lambda groups: dotted(self.compose(list(groups))))
        jobs, swept = expand(parser, self.params or {}, arguments, known_keys)
        directory = Path(self.config.hydra.sweep.dir)
        configs = [self.compose(job) for job in jobs]
        names = [directory_name(config, number) for number, config in enumerate(configs)]
        check_directories(directory, names)
        quieten()
        if late := sweep_warning([check(container(config)) for config in configs]):
            print(f"note: {late}")
        directory.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, directory / "multirun.yaml")
        begin(directory, names, swept, [*allow_flags(), *sys.argv[1:]])
        size = self.max_batch_size or len(jobs)
        try:
            for start in range(0, len(jobs), size):
                self.launcher.launch(jobs[start : start + size], initial_job_idx=start)
        except Interrupted:
            finish(directory)
            raise
        end(directory)
        failed = finish(directory)
        if failed:
            raise RunFailed(failed)

    def compose(self, overrides: list[str]) -> DictConfig:
        """The config of a job with these overrides, Hydra's part included."""
        assert self.hydra_context is not None
        assert self.config is not None
        return self.hydra_context.config_loader.load_sweep_config(self.config, overrides)


def directory_name(config: DictConfig, number: int) -> str:
    """The run directory's name, below that of the sweep, of the job with this config and number."""
    with open_dict(config):
        config.hydra.job.num, config.hydra.job.id = number, str(number)
    return str(config.hydra.sweep.subdir)
