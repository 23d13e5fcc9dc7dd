"""The launcher ``slurm``: the jobs of a sweep on a cluster, as an array of SLURM jobs.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it launches. Its options are those of hydra-submitit-launcher, and its jobs are submitted by submitit.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

with suppress(ImportError):  # config/extras.py says what to install
    from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf

    @dataclass
    class SlurmLauncherConf(SlurmQueueConf):  # type: ignore[misc]
        """``runs_per_job``: runs that share a job, one after the other, and so its imports.

        A job that is preempted, or reaches its time limit, goes on from its runs' last checkpoints, after a time limit
        at most ``max_num_timeout`` times.
        """

        _target_: str = "hydra_plugins.vae_lab_slurm_launcher.SlurmLauncher"
        runs_per_job: int = 1
        max_num_timeout: int = 10
        submitit_folder: str = ""  # there is one for each launch, in the directory of the sweep

    ConfigStore.instance().store(group="hydra/launcher", name="slurm", node=SlurmLauncherConf, provider="vae_lab")


class SlurmLauncher(Launcher):
    """Jobs to SLURM; see ``vae_lab.sweep.slurm``."""

    def __init__(self, **options: Any) -> None:
        self.options = {key: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for key, v in options.items()}
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra says of the sweep.

        Raises:
            ConfigError: on a machine without SLURM, and for options that do not fit.
        """
        from vae_lab.sweep.slurm import check_options

        check_options(self.options, str(config.trainer.get("accelerator", "auto")))
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs and wait for them. Their results are in their directories, none is returned.

        Raises:
            ConfigError: when SLURM refuses them.
            Interrupted: when a signal ended it.
        """
        from vae_lab.slurm_job import SlurmJob
        from vae_lab.sweep.slurm import launch

        assert self.config is not None
        assert self.hydra_context is not None
        loader = self.hydra_context.config_loader
        launch(self.config, loader, self.options, job_overrides, initial_job_idx, SlurmJob)
        return []
