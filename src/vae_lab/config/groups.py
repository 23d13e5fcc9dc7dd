"""Where conf/ lies, and which groups and options are in it."""

from functools import cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).parents[1]
CONF = next(folder for folder in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if folder.is_dir())


def groups(config_dir: Path | None = None) -> dict[str, list[str]]:
    """The config groups with their options, in alphabetical order: of conf/, and of a person's own folder."""
    found: dict[str, set[str]] = {}
    for root in filter(None, (CONF, config_dir)):
        for file in root.glob("*/*.yaml"):
            found.setdefault(file.parent.name, set()).add(file.stem)
    return {group: sorted(found[group]) for group in sorted(found)}


@cache
def settings() -> tuple[str, ...]:
    """The top level of a run's config: every run has these settings and parts, and no others."""
    content = OmegaConf.to_container(OmegaConf.load(CONF / "config.yaml"), resolve=False)
    assert isinstance(content, dict)
    parts = [str(key) for entry in content.pop("defaults") if isinstance(entry, dict) for key in entry]
    return tuple(key for key in (*parts, *map(str, content)) if key != "hydra" and not key.startswith("override "))


def entries_of(group: str, option: str) -> set[str]:
    """The entries in the file of an option."""
    content = OmegaConf.load(CONF / group / f"{option}.yaml")
    return {str(key) for key in content} if isinstance(content, DictConfig) else set()


def options_with(group: str, name: str) -> list[str]:
    """The options of ``group`` whose file has an entry ``name``."""
    return [option for option in groups().get(group, []) if name in entries_of(group, option)]
