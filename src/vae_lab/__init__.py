"""vae_lab: why does the posterior collapse, and which remedy works?

``vae_lab.load`` gives a trained model back, ``vae_lab.examine`` says of any VAE how far it collapsed and why, and
``vae_lab.CollapseMonitor`` watches one while it trains.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_lab.examination.examine import examine as examine
    from vae_lab.examination.monitor import CollapseMonitor as CollapseMonitor
    from vae_lab.training.loading import load as load

__all__ = ["CollapseMonitor", "examine", "load"]
__version__ = "0.2.0"

PLACES = {
    "CollapseMonitor": "vae_lab.examination.monitor",
    "examine": "vae_lab.examination.examine",
    "load": "vae_lab.training.loading",
}


def __getattr__(name: str) -> Any:
    """Import a name only when it is asked for: torch takes seconds, ``import vae_lab`` should not."""
    if name in PLACES:
        return getattr(import_module(PLACES[name]), name)
    raise AttributeError(f"module 'vae_lab' has no attribute {name!r}")


class Package(ModuleType):
    """This package, in which a name of ``PLACES`` stays what it is.

    ``vae_lab.examine`` is a function, and ``vae_lab/examine.py`` the command of the same name. Python would put the
    command's module in the place of the function once it is imported.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Leave a name of ``PLACES`` to ``__getattr__`` when the import system binds a module to it."""
        if not (name in PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = Package
