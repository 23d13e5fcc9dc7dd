"""Where conf/ lies, and which groups and options are in it."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).parents[1]


CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if folder.is_dir())


def groups() -> dict[str, list[str]]:
    """The config groups of conf/ with their options, in alphabetical order."""
    folders = sorted(folder for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def options_with(group: str, name: str) -> list[str]:
    """The options of ``group`` whose file has an entry ``name``."""
    files = ((option, OmegaConf.load(CONF / group / f"{option}.yaml")) for option in groups().get(group, []))
    return [option for option, content in files if isinstance(content, DictConfig) and name in content.keys()]  # noqa: SIM118, a missing value is no member
