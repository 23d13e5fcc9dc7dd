"""Hydra's loader with a check: whatever is composed here, for a run, a sweep or one of its jobs, is safe to hand on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.core.utils import setup_globals
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from vae_lab.checks import ConfigError, one_line
from vae_lab.config import secrets  # noqa: F401  its resolver replaces that of OmegaConf
from vae_lab.config.extras import check_installed
from vae_lab.config.groups import CONF, groups, settings
from vae_lab.config.hydra_part import check_hydra_part, check_launcher
from vae_lab.config.names import with_plus
from vae_lab.config.options import OWN
from vae_lab.config.sharing import Compositions

CONFIG = "config"  # the file in conf/ where everything begins


class CheckedLoader(ConfigLoaderImpl):
    """Composes as Hydra does, and refuses what Hydra's own part must not hold before Hydra reads it.

    A launcher sends it to its processes, so that jobs are checked there, too.

    Args:
        config_dir: a person's own folder of settings.
    """

    def __init__(self, config_dir: Path | None = None) -> None:
        version.setbase("1.3")
        setup_globals()
        path = create_config_search_path(str(CONF))
        if config_dir is not None:
            path.prepend(OWN, f"file://{config_dir.absolute()}", anchor=SearchPathQuery(provider="schema"))
        super().__init__(path)
        self.config_dir = config_dir
        self.compositions = Compositions(self.repository.group_exists)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose.

        Raises:
            HydraException: for what fits nowhere.
            ConfigError: for what Hydra's part must not hold, and for whatever else goes wrong.
        """
        try:
            check_overrides(overrides, self.config_dir)
            about = (run_mode, from_shell, validate_sweep_overrides)
            compose = super().load_configuration
            config = self.compositions.config(
                overrides, (config_name, *about), lambda some: compose(config_name, some, *about)
            )
        except (HydraException, ConfigError):
            raise
        except Exception as error:  # Hydra and OmegaConf answer some overrides with exceptions of any kind
            raise ConfigError(f"{' '.join(overrides)}: {one_line(error)}") from error
        check_hydra_part(config)
        if run_mode == RunMode.RUN:
            check_settings(config, self.config_dir)
        if self.config_dir is not None:
            check_launcher(config, lambda typed: CheckedLoader().load_configuration(config_name, typed, run_mode))
        return config

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """The options of a group. Overrides name no place to read from, for which Hydra would copy all it has."""
        return self.repository.get_group_options(group_name, results_filter)


def check_overrides(overrides: Sequence[str], config_dir: Path | None) -> None:
    """Refuse what must not be composed: places to read from, as a package is imported for it; and a part that is none.

    Options whose packages are not installed are refused as well.

    Raises:
        ConfigError: naming the key.
    """
    options = groups(config_dir)
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key, value = override.key_or_group, override._value
        if key == "hydra.searchpath":
            raise ConfigError.part(key, "cannot be set; name a folder of your own by --config-dir")
        check_installed(key, str(value))
        named = isinstance(value, (str, QuotedString, list)) or override.is_sweep_override()
        deleted = override.is_delete() and value is None
        if key in options and not named and not deleted:
            shown = "null" if value is None else value
            raise ConfigError.setting(key, shown, f"must be one of {', '.join(options[key])}")


def check_settings(config: DictConfig, config_dir: Path | None) -> None:
    """Refuse a config that lacks a part, or has one that no run asks for.

    Raises:
        ConfigError: naming the part that is missing.
        HydraException: for one too many, as Hydra's own are for a key that it does not know.
    """
    options = groups(config_dir)
    for key in settings():
        if key not in config or (key in options and config[key] is None):
            choices = f", one of {', '.join(options[key])}" if key in options else ""
            raise ConfigError.part(key, f"must be given{choices}")
    for key in map(str, config):
        if key != "hydra" and key not in settings() and key not in options:
            raise ConfigCompositionException(f"Could not override '{key}'.")


@contextmanager
def hydra_over(config_dir: Path | None = None) -> Iterator[Hydra]:
    """Hydra over conf/ and a person's own folder, until the block ends."""
    GlobalHydra.instance().clear()
    hydra = Hydra(task_name="vae_lab", config_loader=CheckedLoader(config_dir))
    GlobalHydra.instance().initialize(hydra)
    try:
        yield hydra
    finally:
        GlobalHydra.instance().clear()


def hydra_config(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """The config that Hydra composes from conf/, a person's own folder and these overrides; Hydra's part included.

    Raises:
        HydraException: for whatever fits nowhere.
        ConfigError: for what Hydra's part must not hold.
    """
    return CheckedLoader(config_dir).load_configuration(CONFIG, [with_plus(o) for o in overrides], RunMode.RUN)
