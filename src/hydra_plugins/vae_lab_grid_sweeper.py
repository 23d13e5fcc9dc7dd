"""The grid sweeper: Hydra's basic sweeper that checks every job before the first starts and compares them at the end.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it sweeps. Every launcher works below it.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore

if TYPE_CHECKING:
    from vae_lab.sweep.context import SweepContext


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
    """Cartesian product of all swept values; see ``vae_lab.sweep.grid``."""

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
        """Run the product of all swept values.

        Raises:
            ConfigError: before anything runs, for the first job that does not fit, or a directory that is in use.
            RunFailed: at the end, when runs failed.
        """
        from vae_lab.sweep.grid import sweep

        sweep(self.context(), self.params, arguments, self.max_batch_size, self.resume, self.fail_fast)

    def context(self) -> "SweepContext":
        """What Hydra has given."""
        from vae_lab.endings import heed
        from vae_lab.sweep.context import SweepContext

        heed()  # a signal that one of the imports has swallowed
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        return SweepContext(self.config, self.hydra_context, self.launcher)
