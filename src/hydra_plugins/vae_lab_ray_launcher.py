"""The launcher ``ray``: the jobs of a sweep as tasks of Ray, on this machine or on a cluster.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it launches. hydra-ray-launcher is not under it: that one gives the sweep up with its first job that dies.
Both have the name ray, so only one of them may be installed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class RayLauncherConf:
    """``address``: of a running cluster, HOST:PORT or auto; null for one on this machine, as long as the sweep.

    ``num_cpus``, ``num_gpus``: of each run; torch gets as many threads, and with 0.25 GPUs four runs share one.
    """

    _target_: str = "hydra_plugins.vae_lab_ray_launcher.RayLauncher"
    address: str | None = None
    num_cpus: float = 1
    num_gpus: float = 0


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConf, provider="vae_lab")


class RayLauncher(Launcher):
    """A task of Ray for each job; see ``vae_lab.sweep.ray_tasks``."""

    def __init__(self, address: str | None = None, num_cpus: float = 1, num_gpus: float = 0) -> None:
        self.address, self.num_cpus, self.num_gpus = address, num_cpus, num_gpus
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra says of the sweep."""
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs. Their results are in their directories, none is returned.

        Raises:
            ConfigError: for settings that do not fit, without Ray, or where no cluster answers.
            Interrupted: when a signal ended it.
        """
        from vae_lab.sweep.local import jobs_of
        from vae_lab.sweep.ray_tasks import Share, launch
        from vae_lab.worker import perform_afar

        assert self.config is not None
        assert self.hydra_context is not None
        share = Share(self.address, self.num_cpus, self.num_gpus)
        jobs = jobs_of(self.config, job_overrides, initial_job_idx)
        launch(self.config, self.hydra_context.config_loader, jobs, share, perform_afar)
        return []
