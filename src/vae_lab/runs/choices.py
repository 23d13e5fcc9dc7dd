"""The option that a run chose of each config group, as Hydra recorded it."""

from pathlib import Path

from omegaconf import OmegaConf

RECORDED = Path(".hydra") / "hydra.yaml"


def choices_of(run: Path) -> dict[str, str]:
    """The options by group, ``{"free_bits": "off", ...}``, without Hydra's own groups; none where none are recorded."""
    if not (run / RECORDED).is_file():
        return {}
    chosen = OmegaConf.select(OmegaConf.load(run / RECORDED), "hydra.runtime.choices") or {}
    return {str(group): str(option) for group, option in chosen.items() if not str(group).startswith("hydra/")}
