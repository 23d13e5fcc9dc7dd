"""The next useful command, with the options that a person gave: it runs as it is printed."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.config.groups import entries_of, groups, options_with
from vae_lab.config.names import key_and_text
from vae_lab.config.options import options_of
from vae_lab.config.recorded import recorded
from vae_lab.diagnosis.causes import ESTABLISHED
from vae_lab.report.front import found
from vae_lab.runs.run import Run, text
from vae_lab.runs.state import ENDED
from vae_lab.runs.sweep import SEED, Sweep

PYTHON = ("python", "-m")
SEEDS = "seed=0,1,2"
NEW_SEEDS = "1,2,3"  # beside 0, with which a search ran
SAMPLES = "k=5000"
CONFIG_DIR = "--config-dir="


def arguments_of(run: Path) -> list[str]:
    """The arguments that made a run: its options, such as ``--allow=my_nets``, and its overrides, as recorded."""
    return [*options_of(run), *map(str, recorded(run / ".hydra" / "overrides.yaml") or ())]


def again(run: Path) -> str:
    """The command that makes a run again, as recorded."""
    return shlex.join([*PYTHON, "vae_lab", *arguments_of(run)])


def retry(arguments: Sequence[str], change: Mapping[str, Any]) -> str | None:
    """The command that runs the same again with a change; None where no such run can be composed.

    Example:
        >>> retry(["model=delta_vae", "model.delta=2", "model.latent_dim=8"], {"model": "beta_vae", "seed": 1})
        'python -m vae_lab model.latent_dim=8 model=beta_vae seed=1'
    """
    found = changed_arguments(arguments, change)
    if found is None:
        return None
    options = [argument for argument in found if argument.startswith("--")]
    many = ["-m"] if any("," in text(change, key) for key in change) else []
    return shlex.join([*PYTHON, "vae_lab", *options, *many, *found[len(options) :]])


def changed_arguments(arguments: Sequence[str], change: Mapping[str, Any]) -> list[str] | None:
    """The arguments of the same run with a change; None where no such run can be composed.

    Settings of a part go with it: where the decoder changes, those that the new one does not have are left out.
    """
    options = [argument for argument in arguments if argument.startswith("--")]
    kept = [argument for argument in arguments[len(options) :] if stays(argument, change)]
    changed = [f"{key}={text(change, key)}" for key in change]
    folder = next((option.removeprefix(CONFIG_DIR) for option in options if option.startswith(CONFIG_DIR)), None)
    try:
        changed += corrections([*kept, *changed], change, folder)
        if not any("," in value for value in changed):
            compose_config([*kept, *changed], folder)
    except ConfigError:
        return None
    return [*options, *kept, *changed]


def stays(override: str, change: Mapping[str, Any]) -> bool:
    """Whether an override still has a place beside a change."""
    key = key_and_text(override)[0]
    group, _, name = key.partition(".")
    if key in change or (key == "epochs" and "trainer.max_steps" in change):
        return False
    return not (name and group in change) or change[group] in options_with(group, name.partition(".")[0])


def corrections(overrides: Sequence[str], change: Mapping[str, Any], folder: str | None) -> list[str]:
    """What else must be said: an experiment may set what a new part does not have, or epochs in place of steps.

    Raises:
        ConfigError: when the overrides do not compose.
    """
    if any("," in str(value) for value in change.values()):
        return []
    config = compose_config(overrides, folder)
    parts = [key for key in change if change[key] in groups().get(key, ())]
    strays = [
        f"~{part}.{name}" for part in parts for name in config[part] if name not in entries_of(part, change[part])
    ]
    strays = [stray for stray in strays if stray[1:] not in change]
    return [*strays, *(["epochs=null"] if "trainer.max_steps" in change and config["epochs"] is not None else [])]


def after_sweep(sweep: Sweep, seeded: bool) -> str | None:
    """What a person would most likely want to do after a sweep: more seeds, or a closer look at a run.

    After a search that is what it found, with seeds of its own. A sweep that can go on asks for no seeds yet.
    """
    if sweep.search and (best := found(sweep.runs, sweep.keys, sweep.search)):
        run = max((setting.runs[0] for setting in best), key=lambda run: run.figure("elbo") or float("-inf"))
        return retry(arguments_of(run.directory), {SEED: NEW_SEEDS})
    arguments = sweep.record.arguments if sweep.record else []
    whole = not sweep.waiting and all(run.result.status in ENDED for run in sweep.runs)
    if arguments and whole and not seeded:
        kept = [argument for argument in arguments if not argument.startswith(("hydra.sweep.dir=", "seed="))]
        return shlex.join([*PYTHON, "vae_lab", *kept, SEEDS])
    finished = [run for run in sweep.runs if run.finished]
    if not finished:
        return None
    collapsed = next((run for run in finished if run.collapsed), None)
    return after_run(collapsed or max(finished, key=lambda run: run.figure("elbo") or float("-inf")))


def after_diagnosis(run: Run, allow: Sequence[str] = ()) -> str | None:
    """What to do after the diagnosis of a run: find out what is to blame, where that is open, or cure it."""
    if not run.finished or run.cause is None:
        return None
    asked = run.probe is not None or run.cause.certainty == ESTABLISHED or not run.collapsed
    return shlex.join([*PYTHON, f"vae_lab.{'cure' if asked else 'probe'}", *allow, f"run={run.directory}"])


def after_run(run: Run) -> str | None:
    """What a person would most likely want to do after a run; None where there is nothing."""
    if run.collapsed or run.result.status == "diverged":
        return shlex.join([*PYTHON, "vae_lab.diagnose", f"run={run.directory}"])
    if not run.finished or run.result.examination:  # of a model from outside there is no checkpoint
        return None
    allow = [option for option in options_of(run.directory) if not option.startswith(CONFIG_DIR)]
    return shlex.join([*PYTHON, "vae_lab.evaluate", *allow, f"run={run.directory}", SAMPLES])
