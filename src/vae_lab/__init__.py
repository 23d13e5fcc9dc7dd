"""vae_lab: why does the posterior collapse, and which remedy works?

``vae_lab.load`` gives a trained model back, ``vae_lab.examine`` says of any VAE how far it collapsed and why, and
``vae_lab.CollapseMonitor`` watches one while it trains. ``RateCost`` and the functions serve a training of one's own.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_lab.examination.examine import examine as examine
    from vae_lab.examination.monitor import CollapseMonitor as CollapseMonitor
    from vae_lab.functional import bn_mean as bn_mean
    from vae_lab.functional import capacity as capacity
    from vae_lab.functional import free_bits as free_bits
    from vae_lab.functional import kl_annealing as kl_annealing
    from vae_lab.functional import mmd as mmd
    from vae_lab.functional import optimal_sigma as optimal_sigma
    from vae_lab.functional import pi_controller as pi_controller
    from vae_lab.models.rate_cost import RateCost as RateCost
    from vae_lab.training.loading import load as load

__version__ = "0.2.0"

FUNCTIONS = ("bn_mean", "capacity", "free_bits", "kl_annealing", "mmd", "optimal_sigma", "pi_controller")
HOMES = {
    "CollapseMonitor": "examination.monitor",
    "RateCost": "models.rate_cost",
    "examine": "examination.examine",
    "load": "training.loading",
    **dict.fromkeys(FUNCTIONS, "functional"),
}

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: torch takes seconds, ``import vae_lab`` should not."""
    if name in HOMES:
        return getattr(import_module(f"vae_lab.{HOMES[name]}"), name)
    raise AttributeError(f"module 'vae_lab' has no attribute {name!r}")


class Package(ModuleType):
    """This package, in which a name of ``HOMES`` stays what it is.

    ``vae_lab.examine`` is a function, and ``vae_lab/examine.py`` the command of the same name. Python would put the
    command's module in the place of the function once it is imported.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Leave a name of ``HOMES`` to ``__getattr__`` when the import system binds a module to it."""
        if not (name in HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = Package
