"""The check of all jobs before the first one starts; jobs that differ in their seeds only are checked once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from vae_lab.config.compose import container

LARGEST_SEED = 2**63 - 1


def check_jobs(configs: Iterable[DictConfig]) -> list[list[str]]:
    """Build what each job needs, and throw it away; returns what a person should know before, by job.

    Raises:
        ConfigError: for the first job that does not fit, in one line.
    """
    from vae_lab.training.run import check
    from vae_lab.training.trainer import quieten

    quieten()
    known: dict[str, list[str]] = {}
    found = []
    for config in configs:
        plain = container(config)
        same = without_seed(plain)
        if same not in known:
            known[same] = check(plain)
        found.append(known[same])
    return found


def sweep_warning(found: Sequence[Sequence[str]]) -> str:
    """The lines of all runs of a sweep as one: the first of them, and how many runs have one; empty if none has."""
    late = [lines[0] for lines in found if lines]
    return f"{late[0]} (so in {len(late)} of {len(found)} runs)" if late else ""


def without_seed(config: Mapping[str, Any]) -> str:
    """A config as text, its seed left out where it is one: it decides which weights and noise, not whether they fit.

    Example:
        >>> without_seed({"seed": 1, "epochs": 2}) == without_seed({"seed": 7, "epochs": 2})
        True
        >>> without_seed({"seed": 1}) == without_seed({"seed": -1})
        False
    """
    seed = config.get("seed")
    fits = type(seed) is int and 0 <= seed <= LARGEST_SEED
    return json.dumps({**config, "seed": None if fits else repr(seed)}, default=repr, sort_keys=True)
