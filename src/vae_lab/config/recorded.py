"""The YAML files that a run keeps of its command line. They may be a stranger's, or half of one."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from vae_lab.checks import ConfigError, one_line


def recorded(file: Path, kind: type = list) -> Any:
    """What a file holds, nothing of it resolved; None where there is none.

    Raises:
        ConfigError: when it cannot be read, or is no ``kind``.
    """
    if not file.is_file():
        return None
    try:
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except (YAMLError, OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read: {one_line(error)}") from error
    if not content:
        return kind()
    if not isinstance(content, kind):
        raise ConfigError(f"{file}: cannot be read: it holds no {kind.__name__}")
    return content
