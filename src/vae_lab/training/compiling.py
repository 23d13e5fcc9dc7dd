"""``trainer.compile``: the training pass as one compiled graph. Evaluation stays as it is: its figures are exact."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vae_lab.checks import ArgumentError, choice
from vae_lab.models import VAE, Output

MODES = ("default", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")  # torch.compile's own
BACKEND = "inductor"


def compile_mode(trainer: Mapping[str, Any]) -> str | None:
    """The mode that a trainer's settings ask for: ``compile`` is null, true, false, or one of ``MODES``; None for none.

    Raises:
        ArgumentError: for anything else.

    Example:
        >>> compile_mode({"compile": True}), compile_mode({})
        ('default', None)
    """
    asked = trainer.get("compile")
    if asked is None or isinstance(asked, bool):
        return "default" if asked else None
    if not isinstance(asked, str):
        raise ArgumentError("compile", asked, f"must be true, false, or one of {', '.join(MODES)}")
    return choice("compile", asked, MODES)


def compile_training(model: VAE, mode: str) -> None:
    """Compile what a model computes in training, from its first step on. Coefficients are buffers: none recompiles it.

    What was compiled before in this process is forgotten: torch gives up after eight models of one class.

    Args:
        model: whose ``forward`` is replaced.
        mode: of ``torch.compile``.
    """
    torch.compiler.reset()
    eager = model.forward
    compiled = torch.compile(eager, fullgraph=True, dynamic=False, mode=mode, backend=BACKEND)

    def forward(x: Tensor, noise: Tensor) -> Output:
        output: Output = compiled(x, noise) if model.training else eager(x, noise)
        return output

    model.forward = forward  # type: ignore[method-assign]
