"""The sweeper ``optuna``: settings are suggested by Optuna, from the figures of those before.

It is a Hydra plugin, and so lies in Hydra's namespace package: a thin shell over ``vae_lab.sweep``, which it imports
only when it sweeps. Every launcher works below it. hydra-optuna-sweeper pins an old Optuna; both have the name optuna,
so only one of them may be installed.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.vae_lab_grid_sweeper import GridSweeper


@dataclass
class OptunaSweeperConf:
    """``objectives``: ``{figure: minimize or maximize}``; null for ``{test/elbo: maximize}``.

    ``sampler``: ``tpe``, ``random``, or ``nsga2``, which needs hundreds of trials; ``seed`` is its own. ``at_once``:
    settings that are suggested before any of them has run; null for as many as this machine runs side by side.
    ``params`` is an experiment's own space, ``{key: "interval(0,1)"}``; the command line replaces its entries.
    """

    _target_: str = "hydra_plugins.vae_lab_optuna_sweeper.OptunaSweeper"
    objectives: Any = None
    trials: int = 40
    sampler: str = "tpe"
    seed: int = 0
    at_once: int | None = None
    params: dict[str, Any] | None = field(default_factory=dict)
    resume: bool = False
    fail_fast: bool = False


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="vae_lab")


class OptunaSweeper(GridSweeper):
    """A search over settings; see ``vae_lab.sweep.optuna_search``."""

    def __init__(
        self,
        objectives: dict[str, str | None] | None = None,
        trials: int = 40,
        sampler: str = "tpe",
        seed: int = 0,
        at_once: int | None = None,
        params: dict[str, Any] | None = None,
        resume: bool = False,
        fail_fast: bool = False,
    ) -> None:
        super().__init__(None, params, resume, fail_fast)
        self.wanted = {"trials": trials, "sampler": sampler, "seed": seed, "at_once": at_once}
        self.objectives = objectives

    def sweep(self, arguments: list[str]) -> None:
        """Suggest settings and run them, batch after batch.

        Raises:
            ConfigError: before anything runs, for what does not fit, a directory that is in use, or without Optuna.
            RunFailed: at the end, when runs failed.
        """
        from vae_lab.sweep.optuna_search import search

        about = dict(self.objectives or {}), self.wanted
        search(self.context(), self.params, arguments, *about, self.resume, self.fail_fast)
