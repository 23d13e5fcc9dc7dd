"""The launcher ``local``: the jobs of a sweep side by side on the GPUs or cores of one machine.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it launches.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class LocalLauncherConf:
    """``devices``: GPUs by number, or how many; without GPUs how many CPU workers; null for all that there are."""

    _target_: str = "hydra_plugins.vae_lab_local_launcher.LocalLauncher"
    devices: Any = None
    jobs_per_device: int = 1
    devices_per_job: int = 1


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalLauncherConf, provider="vae_lab")


class LocalLauncher(Launcher):
    """A queue of jobs over the devices of this machine; see ``vae_lab.sweep.pool``."""

    def __init__(self, devices: Any = None, jobs_per_device: int = 1, devices_per_job: int = 1) -> None:
        self.devices: Any = OmegaConf.to_object(devices) if OmegaConf.is_config(devices) else devices
        self.jobs_per_device, self.devices_per_job = jobs_per_device, devices_per_job
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.pool: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra says of the sweep."""
        self.config, self.hydra_context = config, hydra_context

    @contextmanager
    def working(self, jobs: int, accelerator: str, lasting: bool = False) -> Iterator[None]:
        """Within the block there are workers for so many jobs: they start at once, before there is one to run.

        They are gone once the jobs of a launch have ended, unless they are ``lasting``.

        Raises:
            ConfigError: for settings that do not fit this machine.
        """
        from vae_lab.sweep.local import make_pool
        from vae_lab.sweep.slots import Places

        assert self.hydra_context is not None
        places = Places(self.devices, self.jobs_per_device, self.devices_per_job)
        with make_pool(self.hydra_context.config_loader, max(jobs, 1), accelerator, places, lasting) as self.pool:
            if jobs:
                self.pool.start()
            yield

    def check(self, jobs: Sequence[Sequence[str]]) -> list[list[str]]:
        """Check jobs with these overrides in the workers; returns what a person should know of each before it starts.

        Raises:
            ConfigError: for the first that does not fit.
        """
        from vae_lab.sweep.local import check

        assert self.config is not None
        return check(self.pool, self.config, jobs) if jobs else []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs. Their results are in their directories, none is returned.

        Raises:
            Interrupted: when a signal ended it.
        """
        from vae_lab.sweep.local import launch

        assert self.config is not None
        launch(self.config, self.pool, job_overrides, initial_job_idx)
        return []
