"""The next useful command."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vae_lab.config.build import allow_flags
from vae_lab.config.names import key_and_text
from vae_lab.runs.run import Run
from vae_lab.runs.sweep import Sweep

VAE_LAB = ("python", "-m", "vae_lab")


def overrides_of(run: Path) -> list[str]:
    """The overrides that made a run, its experiment included, as Hydra recorded them."""
    recorded = run / ".hydra" / "overrides.yaml"
    return [str(override) for override in OmegaConf.load(recorded)] if recorded.is_file() else []


def retry(overrides: Sequence[str], change: Mapping[str, Any]) -> str:
    """The command that runs the same again with a change."""
    dropped = {*change, *(["epochs"] if "trainer.max_steps" in change else [])}
    kept = [override for override in overrides if key_and_text(override)[0] not in dropped]
    if "model" in change:
        kept = [o for o in kept if not key_and_text(o)[0].startswith("model.") or "latent_dim" in o]
    many = ["-m"] if any("," in str(value) for value in change.values()) else []
    changed = (f"{key}={value}" for key, value in change.items())
    return shlex.join([*VAE_LAB, *allow_flags(), *many, *kept, *changed])


def after_sweep(sweep: Sweep, seeded: bool) -> str:
    """What a person would most likely want to do after a sweep: more seeds, or a closer look at a run."""
    arguments = sweep.record.arguments if sweep.record else []
    if arguments and not seeded:
        kept = [argument for argument in arguments if not argument.startswith(("hydra.sweep.dir=", "seed="))]
        return shlex.join([*VAE_LAB, *kept, "seed=0,1,2"])
    return f"python -m vae_lab.evaluate run='{sweep.directory}/RUN' k=5000"


def after_run(run: Run) -> str:
    """What a person would most likely want to do after a run."""
    if run.result.status == "diverged":
        return "the same with optimizer.lr=1e-4 or trainer.gradient_clip_val=1"
    if run.collapsed:
        return f"python -m vae_lab.diagnose run='{run.directory}'"
    return shlex.join(["python", "-m", "vae_lab.evaluate", f"run={run.directory}", "k=5000", *allow_flags()])
