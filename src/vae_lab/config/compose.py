"""Plain configs: composed from conf/ and overrides, without Hydra's own part."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_lab.config.explain import explain, explain_value
from vae_lab.config.loader import hydra_config


def container(config: DictConfig) -> dict[str, Any]:
    """The run's config as plain data, without Hydra's own part.

    Raises:
        ConfigError: when a value is missing or an interpolation leads nowhere.
    """
    try:
        return {str(key): plain(config[key]) for key in config if key != "hydra"}
    except OmegaConfBaseException as error:
        raise explain_value(error) from error


def plain(value: Any) -> Any:
    """A node of a config as plain data; other values as they are."""
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def compose_config(overrides: Sequence[str], config_dir: str | Path | None = None) -> dict[str, Any]:
    """The plain config of these overrides.

    Args:
        overrides: as on the command line.
        config_dir: a folder of one's own groups, as ``--config-dir`` names it.

    Raises:
        ConfigError: in one line, for whatever fits nowhere.

    Example:
        >>> config = compose_config(["model=info_vae", "model.latent_dim=8"])
        >>> config["model"]["latent_dim"], config["data"]["batch_size"]
        (8, 64)
        >>> compose_config(["model=info_vae", "model.latent_dims=8"])
        Traceback (most recent call last):
        ...
        vae_lab.checks.ConfigError: model.latent_dims=8: model=info_vae has no latent_dims (did you mean latent_dim?)...
    """
    own = None if config_dir is None else Path(config_dir)
    try:
        return container(hydra_config(overrides, own))
    except HydraException as error:
        raise explain(error, overrides, own) from error
