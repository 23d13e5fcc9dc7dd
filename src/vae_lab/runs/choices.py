"""The option that a run chose of each config group, as Hydra recorded it."""

from pathlib import Path
from typing import Any

from vae_lab.config.recorded import recorded

RECORDED = Path(".hydra") / "hydra.yaml"


def choices_of(run: Path) -> dict[str, str]:
    """The options by group, ``{"free_bits": "off", ...}``, without Hydra's own groups; none where none are recorded."""
    content: Any = recorded(run / RECORDED, dict) or {}
    for name in ("hydra", "runtime", "choices"):
        content = content.get(name) if isinstance(content, dict) else None
    chosen = content if isinstance(content, dict) else {}
    return {str(group): str(option) for group, option in chosen.items() if not str(group).startswith("hydra/")}
