"""The launcher ``stacked``: jobs that differ only in numbers are trained as one model.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep.stacked``, which it
imports only when it launches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.vae_lab_local_launcher import LocalLauncher, LocalLauncherConf


@dataclass
class StackedLauncherConf(LocalLauncherConf):
    """``max_stack``: how many jobs a stack may have, null for as many as fit into half of the free memory.

    ``always``: stack even where a trial of a few steps says that it is no faster. The others are those of ``local``.
    """

    _target_: str = "hydra_plugins.vae_lab_stacked_launcher.StackedLauncher"
    max_stack: int | None = None
    always: bool = False


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="vae_lab")


class StackedLauncher(LocalLauncher):
    """The queue of the launcher ``local``, with stacks of jobs in it; see ``vae_lab.sweep.stacked``."""

    def __init__(self, max_stack: int | None = None, always: bool = False, **places: Any) -> None:
        super().__init__(**places)
        self.max_stack, self.always = max_stack, always

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra says of the sweep.

        Raises:
            ConfigError: for settings that cannot be.
        """
        from vae_lab.checks import flag, integer
        from vae_lab.config.build import naming

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        with naming("hydra.launcher"):
            flag("always", self.always)
            if self.max_stack is not None:
                integer("max_stack", self.max_stack, low=2)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs. Their results are in their directories, none is returned.

        Raises:
            Interrupted: when a signal ended it.
        """
        from vae_lab.sweep.stacked import launch

        assert self.config is not None
        launch(self.config, self.pool, job_overrides, initial_job_idx, self.max_stack, self.always)
        return []
