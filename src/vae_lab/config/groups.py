"""Where conf/ lies, which groups and options are in it, and Hydra's composition over it."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from vae_lab.config.names import with_plus

PACKAGE = Path(__file__).parents[1]
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if folder.is_dir())


def groups(config_dir: Path | None = None) -> dict[str, list[str]]:
    """The config groups with their options, in alphabetical order: of conf/, and of a person's own folder."""
    found: dict[str, set[str]] = {}
    for root in filter(None, (CONF, config_dir)):
        for file in root.glob("*/*.yaml"):
            found.setdefault(file.parent.name, set()).add(file.stem)
    return {group: sorted(found[group]) for group in sorted(found)}


def options_with(group: str, name: str) -> list[str]:
    """The options of ``group`` whose file has an entry ``name``."""
    files = ((option, OmegaConf.load(CONF / group / f"{option}.yaml")) for option in groups().get(group, []))
    return [option for option, content in files if isinstance(content, DictConfig) and name in content.keys()]  # noqa: SIM118, a missing value is no member


def hydra_config(overrides: Sequence[str], config_dir: Path | None = None) -> DictConfig:
    """The config that Hydra composes from conf/, a person's own folder and these overrides; Hydra's part included.

    Raises:
        HydraException: for whatever fits nowhere.
    """
    own = [] if config_dir is None else [f"hydra.searchpath=[{quoted(f'file://{config_dir.absolute()}')}]"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", [*own, *map(with_plus, overrides)], return_hydra_config=True)


def quoted(text: str) -> str:
    """The text as a string of Hydra's override grammar."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
