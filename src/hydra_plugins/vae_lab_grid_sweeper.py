"""The grid sweeper: Hydra's basic sweeper that checks every job before the first starts and compares them at the end.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it sweeps. Every launcher works below it.
"""

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
    """``params`` is an experiment's own grid, ``{key: "value,value"}``; the command line replaces its entries.

    ``resume`` goes on with the sweep that lies in ``hydra.sweep.dir``; ``fail_fast`` ends it at the first failed run.
    """

    _target_: str = "hydra_plugins.vae_lab_grid_sweeper.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, Any] | None = field(default_factory=dict)
    resume: bool = False
    fail_fast: bool = False


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="vae_lab")


class GridSweeper(BasicSweeper):
    """Cartesian product of all swept values; see ``vae_lab.sweep.grid.expand``."""

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, Any] | None = None,
        resume: bool = False,
        fail_fast: bool = False,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.resume, self.fail_fast = resume, fail_fast

    def sweep(self, arguments: list[str]) -> None:
        """Expand, check all jobs, launch those that have not ended, compare the results on disk.

        Raises:
            ConfigError: before anything runs, for the first job that does not fit, or a directory that is in use.
            RunFailed: at the end, when runs failed.
        """
        from vae_lab.config.names import as_written, key_and_text, quoted
        from vae_lab.config.options import options_now
        from vae_lab.endings import heed
        from vae_lab.runs.lock import holding
        from vae_lab.sweep.checking import sweep_warning
        from vae_lab.sweep.grid import check_free, check_names, dotted, expand, to_do
        from vae_lab.sweep.launching import checked, launch, launcher_for
        from vae_lab.sweep.record import begin, begin_again

        heed()  # a signal that one of these imports has swallowed
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        known_keys = cache(lambda groups: dotted(self.compose(list(groups))))
        jobs, swept = expand(parser, self.params, arguments, known_keys)
        directory = Path(self.config.hydra.sweep.dir)
        if not self.resume:
            check_free(directory)
        jobs = [[*job, *self.own_name(job, swept)] for job in jobs]
        names = [directory_name(self.compose(job), number) for number, job in enumerate(jobs)]
        check_names(directory, names)
        directory.mkdir(parents=True, exist_ok=True)
        with holding(directory):
            if not self.resume:
                check_free(directory)  # nobody else can begin there from here on
            numbers = list(range(len(jobs)))
            if self.resume:
                numbers = to_do(directory, names, map(self.compose, jobs))
            trainer = self.compose(jobs[0]).trainer
            launcher = launcher_for(self.launcher, self.hydra_context, self.config, len(numbers), trainer)
            with checked(launcher, [jobs[number] for number in numbers], self.compose, trainer) as found:
                if late := sweep_warning(found):
                    print(f"note: {late}")
                if self.resume:
                    begin_again(directory, names, swept, arguments, [names[number] for number in numbers])
                else:
                    OmegaConf.save(self.config, directory / "multirun.yaml")
                    shared = [argument for argument in arguments if key_and_text(argument)[0] not in swept]
                    typed = [
                        o for o in as_written(self.config.hydra.overrides.hydra) if not o.startswith("hydra.mode=")
                    ]
                    begin(directory, names, swept, [*options_now(self.config.hydra), "-m", *typed, *arguments], shared)
                place = "hydra.sweep.subdir="  # said outright: a job's number is another one when the sweep is taken up
                launched = [[*jobs[i], f"{place}{quoted(names[i])}"] for i in numbers]
                told = self.config, [names[i] for i in numbers], launched
                launch(launcher, *told, self.max_batch_size, self.fail_fast)

    def own_name(self, job: list[str], swept: list[str]) -> list[str]:
        """The override that names a job's directory by what was swept; none where a person has named it."""
        from vae_lab.config.names import job_name, quoted

        assert self.config is not None
        written = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)["subdir"]  # type: ignore[call-overload, index]
        return [f"hydra.sweep.subdir={quoted(job_name(job, swept))}"] if "vae_lab.run_name:" in str(written) else []

    def compose(self, overrides: list[str]) -> DictConfig:
        """The config of a job with these overrides, Hydra's part included.

        Raises:
            ConfigError: in the words of this job, where they fit nowhere.
        """
        from hydra.errors import HydraException

        from vae_lab.config.explain import explain

        assert self.hydra_context is not None
        assert self.config is not None
        loader: Any = self.hydra_context.config_loader
        try:
            return loader.load_sweep_config(self.config, overrides)  # type: ignore[no-any-return]
        except HydraException as error:
            raise explain(error, overrides, loader.config_dir) from error


def directory_name(config: DictConfig, number: int) -> str:
    """The run directory's name, below that of the sweep, of the job with this config and number."""
    with open_dict(config):
        config.hydra.job.num, config.hydra.job.id = number, str(number)
    return str(config.hydra.sweep.subdir)
