"""The launcher ``stacked``: jobs that differ only in numbers are trained as one model.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep.stacked``, which it
imports only when it launches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackedLauncherConf:
    """``max_stack``: how many jobs a stack may have, null for as many as fit into half of the free memory.

    ``always``: stack even where a trial of a few steps says that it is no faster.
    """

    _target_: str = "hydra_plugins.vae_lab_stacked_launcher.StackedLauncher"
    max_stack: int | None = None
    always: bool = False


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="vae_lab")


class StackedLauncher(Launcher):
    """Stacks of jobs, one after the other; see ``vae_lab.sweep.stacked``."""

    def __init__(self, max_stack: int | None = None, always: bool = False) -> None:
        self.max_stack, self.always = max_stack, always
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra says of the sweep."""
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs.

        Raises:
            ConfigError: for settings that cannot be.
            Interrupted: when a signal ended it.
        """
        from vae_lab.checks import flag, integer
        from vae_lab.config.build import naming
        from vae_lab.sweep.stacked import launch

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        with naming("hydra.launcher"):
            most = None if self.max_stack is None else integer("max_stack", self.max_stack, low=2)
            always = flag("always", self.always)
        about = self.config, self.hydra_context, self.task_function
        return launch(*about, job_overrides, initial_job_idx, most, always)
