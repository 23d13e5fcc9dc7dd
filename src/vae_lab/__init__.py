"""vae_lab: why does the posterior collapse, and which remedy works?

``vae_lab.load`` gives a trained model back; ``RateCost`` and the functions serve a training of one's own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
HOMES = {"load": "training.loading", "RateCost": "models.rate_cost", **dict.fromkeys(FUNCTIONS, "functional")}

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: torch takes seconds, ``import vae_lab`` should not."""
    if name in HOMES:
        return getattr(import_module(f"vae_lab.{HOMES[name]}"), name)
    raise AttributeError(f"module 'vae_lab' has no attribute {name!r}")
