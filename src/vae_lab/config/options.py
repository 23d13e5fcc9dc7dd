"""The options of the command line that are not part of the config: they are kept beside it, to be repeated."""

from collections.abc import Iterable
from pathlib import Path

from hydra.conf import HydraConf
from omegaconf import OmegaConf

from vae_lab.config.build import added_modules
from vae_lab.config.recorded import recorded

FILE = Path(".hydra") / "options.yaml"
OWN = "command-line"  # how Hydra calls a person's own folder among its sources


def options(modules: Iterable[str], config_dir: str | Path | None) -> list[str]:
    """As a person writes them.

    Example:
        >>> options(["my_nets"], "my_conf")
        ['--allow=my_nets', '--config-dir=my_conf']
    """
    return [f"--allow={name}" for name in modules] + ([f"--config-dir={config_dir}"] if config_dir else [])


def options_now(about: HydraConf) -> list[str]:
    """Those of the command that runs now. ``about`` is Hydra's part of its config."""
    folders = [source.path for source in about.runtime.config_sources if source.provider == OWN]
    return options(added_modules(), folders[0] if folders else None)


def save_options(run: Path, about: HydraConf) -> None:
    """Keep them in a run directory."""
    file = run / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(options_now(about)), file)


def options_of(run: Path) -> list[str]:
    """Those that made a run; none where they are not recorded.

    Raises:
        ConfigError: when they cannot be read.
    """
    return [str(option) for option in recorded(run / FILE) or ()]
