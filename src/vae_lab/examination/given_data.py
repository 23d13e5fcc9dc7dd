"""A person's examples as the data of a model."""

from typing import Any

import torch
from torch import Tensor

from vae_lab.checks import ArgumentError
from vae_lab.data import ImageData, Split
from vae_lab.examination.examples import Examples
from vae_lab.examination.form import Form, pixels


class GivenData(ImageData):
    """The examples that are measured, and those that the model was trained on, where they are given too.

    Args:
        measured: the examples of the splits ``val`` and ``test``.
        trained: of the split ``train``; the same when None.
        form: how they look.
        options: the arguments of ``ImageData``.

    Raises:
        ValueError: when there are fewer than ten, or their numbers are not finite.

    Example:
        >>> x = torch.rand(20, 64)
        >>> GivenData(Examples(x), None, Form.of(x)).batch("test", torch.arange(2)).x.shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(self, measured: Examples, trained: Examples | None, form: Form, **options: Any) -> None:
        self.measured, self.trained, self.form = measured, trained or measured, form
        super().__init__(**{"batch_size": 1, **options})

    def load(self) -> dict[str, Split]:
        measured = Split(self.held(self.measured.x), self.measured.labels)
        trained = measured if self.trained is self.measured else Split(self.held(self.trained.x), self.trained.labels)
        return {"train": trained, "val": measured, "test": measured}

    def held(self, x: Tensor) -> Tensor:
        """Examples (N, ...) as images (N, C, H, W): bytes of pictures as they are, other numbers as float32.

        Raises:
            ArgumentError: when some are not finite, or of another shape.
        """
        if tuple(x.shape[1:]) != self.form.shape:
            raise ArgumentError(
                "train", f"examples of shape {tuple(x.shape[1:])}", f"must be as data: {self.form.shape}"
            )
        values = (x.byte() * 255 if x.dtype == torch.bool else x) if pixels(x) else x.float()
        if bad := int((~values.flatten(1).isfinite()).any(1).sum()):
            raise ArgumentError("data", f"{len(x)} examples", f"hold NaN or infinite values in {bad} of them")
        return self.form.images(values).contiguous().cpu()
