"""The launcher ``local``: the jobs of a sweep side by side on the GPUs or cores of one machine.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it launches.
"""

from collections.abc import Sequence
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
        self.devices = OmegaConf.to_object(devices) if OmegaConf.is_config(devices) else devices
        self.jobs_per_device, self.devices_per_job = jobs_per_device, devices_per_job
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.kept: dict[int, Any] | None = None  # workers, by slot, where batch follows batch

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra says of the sweep."""
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs. Their results are in their directories, none is returned.

        Raises:
            ConfigError: for settings that do not fit this machine.
            Interrupted: when a signal ended it.
        """
        from vae_lab.sweep.local import launch
        from vae_lab.sweep.slots import Places

        assert self.config is not None
        assert self.hydra_context is not None
        places = Places(self.devices, self.jobs_per_device, self.devices_per_job)
        launch(self.config, self.hydra_context.config_loader, job_overrides, initial_job_idx, places, self.kept)
        return []
