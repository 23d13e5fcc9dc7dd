"""What runs are called, and how overrides are read."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

LONGEST_NAME = 120  # bytes of UTF-8; file systems take 255, and a run directory has the time before it
ADDED = ("experiment", "case", "remedy")  # groups that are not among the defaults
COMMON = ("experiment", "hydra.", "hydra/")  # how keys begin that all runs of a sweep share


def key_and_text(override: str) -> tuple[str, str]:
    """Split ``+a.b=c`` into its key without prefix, ``a.b``, and its text, ``c``."""
    key, _, text = override.partition("=")
    return key.lstrip("+~"), text


def with_plus(override: str) -> str:
    """``experiment=x`` as ``+experiment=x``: what is not among the defaults is added, and people forget the plus."""
    return f"+{override}" if override.partition("=")[0] in ADDED else override


def run_overrides(overrides: Iterable[str]) -> list[str]:
    """The overrides that tell one run from another: all but the experiment and Hydra's own."""
    return [override.lstrip("+") for override in overrides if not key_and_text(override)[0].startswith(COMMON)]


def run_name(overrides: Sequence[str]) -> str:
    """A directory name made of the overrides: readable, safe in a path, hashed where it had to be changed or cut.

    Example:
        >>> run_name(["+experiment=smoke", "model.beta=4"]), run_name([])
        ('model.beta=4', 'defaults')
    """
    text = ",".join(run_overrides(overrides)) or "defaults"
    name = re.sub(r"[^\w.,=+-]", "_", text)
    if name == text and len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{cut(name, LONGEST_NAME - 9)}-{digest}"


def cut(text: str, size: int) -> str:
    """The text's beginning, of at most ``size`` bytes of UTF-8."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def job_name(job: Sequence[str], swept: Sequence[str]) -> str:
    """The directory name of a job of a sweep: what was swept, as this job has it; ``run`` where nothing was.

    Example:
        >>> job_name(["data=npz", "+case=summed", "model.beta=4"], ["case", "model.beta"]), job_name(["data=npz"], [])
        ('case=summed,model.beta=4', 'run')
    """
    own = [override for override in job if key_and_text(override)[0] in swept]
    return run_name(own) if own else "run"


def as_written(overrides: Any) -> list[str]:
    """A recorded list of overrides, in which an interpolation is a text like any other."""
    return [str(override) for override in OmegaConf.to_container(overrides, resolve=False) or ()]


def experiment_name(overrides: Sequence[str]) -> str:
    """The experiment that was chosen on the command line, or ``sweep``."""
    names = [text for key, text in map(key_and_text, overrides) if key == "experiment"]
    return cut(re.sub(r"\W", "_", names[-1]), LONGEST_NAME) if names else "sweep"


def override_values(overrides: Sequence[str]) -> dict[str, Any]:
    """The overrides that tell runs apart as ``{key: value}``, with values of their own type.

    Example:
        >>> override_values(["+experiment=smoke", "model.beta=4", "free_bits=off"])
        {'model.beta': 4, 'free_bits': 'off'}
    """
    parser = OverridesParser.create()
    return {key_and_text(o)[0]: primitive(parser.parse_override(o).value()) for o in run_overrides(overrides)}


def primitive(value: Any) -> Any:
    """A parsed override value as a primitive, or a list or dict of them."""
    if isinstance(value, (list, tuple)):
        return [primitive(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): primitive(entry) for key, entry in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def quoted(text: str) -> str:
    """The text as a string of Hydra's override grammar."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


OmegaConf.register_new_resolver("vae_lab.run_name", run_name, replace=True)
OmegaConf.register_new_resolver("vae_lab.experiment_name", experiment_name, replace=True)
