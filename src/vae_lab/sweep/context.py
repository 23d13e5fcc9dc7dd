"""What Hydra gives a sweeper, and what follows from it: the config and the directory's name of each job."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from vae_lab.config.explain import explain
from vae_lab.config.names import as_written, job_name, quoted
from vae_lab.config.options import options_now

SUBDIR = "hydra.sweep.subdir"


@dataclass(frozen=True)
class SweepContext:
    """What Hydra gives a sweeper.

    Args:
        config: of the sweep, Hydra's part included.
        hydra: with the loader of configs.
        launcher: as Hydra has made it.
    """

    config: DictConfig
    hydra: HydraContext
    launcher: Launcher

    @property
    def directory(self) -> Path:
        return Path(str(self.config.hydra.sweep.dir))

    @cached_property
    def parser(self) -> OverridesParser:
        return OverridesParser.create(config_loader=self.hydra.config_loader)

    def compose(self, overrides: list[str]) -> DictConfig:
        """The config of a job with these overrides, Hydra's part included.

        Raises:
            ConfigError: in the words of this job, where they fit nowhere.
        """
        loader: Any = self.hydra.config_loader
        try:
            return loader.load_sweep_config(self.config, overrides)  # type: ignore[no-any-return]
        except HydraException as error:
            raise explain(error, overrides, loader.config_dir) from error

    def known_keys(self, groups: tuple[str, ...]) -> set[str]:
        """The dotted keys of the config that some group choices compose."""
        return dotted(self.compose(list(groups)))

    def named(self, job: list[str], swept: list[str]) -> list[str]:
        """A job whose directory is named by what was swept, unless a person has named it."""
        written = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)["subdir"]  # type: ignore[call-overload, index]
        return [*job, f"{SUBDIR}={quoted(job_name(job, swept))}"] if "vae_lab.run_name:" in str(written) else job

    def command(self, arguments: list[str]) -> list[str]:
        """The command line of the sweep, with its options and what was typed of Hydra's part."""
        typed = [o for o in as_written(self.config.hydra.overrides.hydra) if not o.startswith("hydra.mode=")]
        return [*options_now(self.config.hydra), "-m", *typed, *arguments]


def directory_name(config: DictConfig, number: int) -> str:
    """The run directory's name, below that of the sweep, of the job with this config and number."""
    with open_dict(config):
        config.hydra.job.num, config.hydra.job.id = number, str(number)
    return str(config.hydra.sweep.subdir)


def placed(job: list[str], name: str) -> list[str]:
    """A job with its directory's name said outright: its number is another one when the sweep is taken up."""
    return [*job, f"{SUBDIR}={quoted(name)}"]


def dotted(node: Any, prefix: str = "") -> set[str]:
    """The dotted paths of all entries of a config."""
    keys: set[str] = set()
    for name in node:
        keys.add(f"{prefix}{name}")
        if not OmegaConf.is_missing(node, name) and OmegaConf.is_dict(node._get_node(name)):
            keys |= dotted(node._get_node(name), f"{prefix}{name}.")
    return keys
