"""Secrets stay in the environment: no config can read one, so no record, checkpoint or tracker holds it."""

import re
from typing import Any

from omegaconf import OmegaConf
from omegaconf.resolvers import oc

SECRET = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
ABSENT = object()


def variable(name: str, default: Any = ABSENT) -> Any:
    """The environment variable for ``${oc.env:NAME}`` and ``${oc.env:NAME,DEFAULT}``.

    Raises:
        ValueError: for one whose name says that it is a secret, and for a missing one without a default.

    Example:
        >>> variable("VAE_LAB_NOWHERE", "data")
        'data'
        >>> variable("WANDB_API_KEY")
        Traceback (most recent call last):
        ...
        ValueError: WANDB_API_KEY: looks like a secret, which a config cannot read: configs are kept with every run
    """
    if SECRET.search(name):
        raise ValueError(f"{name}: looks like a secret, which a config cannot read: configs are kept with every run")
    return oc.env(name) if default is ABSENT else oc.env(name, default)


OmegaConf.register_new_resolver("oc.env", variable, replace=True)
