"""Plain configs: composed from conf/ and overrides, without Hydra's own part."""

import re
from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vae_lab.checks import ConfigError, one_line
from vae_lab.config.explain import explain
from vae_lab.config.groups import CONF, options_with
from vae_lab.config.names import with_plus


def container(config: DictConfig) -> dict[str, Any]:
    """The run's config as plain data, without Hydra's own part.

    Raises:
        ConfigError: when a value is missing or an interpolation leads nowhere.
    """
    try:
        node = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        content = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "config"
        if isinstance(error, MissingMandatoryValue):
            raise ConfigError(f"{key}: must be given") from error
        if lost := re.search(r"Interpolation key '(\w+)\.(\w+)' not found", str(error)):
            owners = options_with(*lost.groups())
            have = f"; {lost[1]}={' or '.join(owners)} has it" if owners else ""
            raise ConfigError(f"{key}: follows {lost[1]}.{lost[2]}, which is not set here{have}") from error
        raise ConfigError(f"{key}: {one_line(error)}") from error
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def compose_config(overrides: Sequence[str]) -> dict[str, Any]:
    """The plain config of these overrides.

    Raises:
        ConfigError: in one line, for whatever fits nowhere.
    """
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return container(compose("config", [with_plus(override) for override in overrides]))
    except HydraException as error:
        raise ConfigError(explain(error, overrides)) from error
