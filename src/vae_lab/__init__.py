"""vae_lab: why does the posterior collapse, and which remedy works? ``vae_lab.load`` gives a trained model back."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_lab.training.loading import load as load

__all__ = ["load"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import ``load`` only when it is asked for: torch takes seconds, ``import vae_lab`` should not."""
    if name == "load":
        from vae_lab.training.loading import load

        return load
    raise AttributeError(f"module 'vae_lab' has no attribute {name!r}")
