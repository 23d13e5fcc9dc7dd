"""Numbers as text that a page carries: little-endian, packed by gzip, in base64."""

import base64
import gzip
from typing import Any

import numpy as np
import torch
from torch import Tensor

LARGEST_HALF = 65504.0  # of float16


def block(values: Tensor, precision: str = "float16") -> dict[str, Any]:
    """Numbers as the page reads them; floats in the given precision, bytes as bytes.

    Example:
        >>> block(torch.zeros(3, dtype=torch.uint8))["type"], block(torch.zeros(3))["type"]
        ('uint8', 'float16')
    """
    kind = "uint8" if values.dtype == torch.uint8 else precision
    if kind == "float16":
        values = values.float().clamp(-LARGEST_HALF, LARGEST_HALF)
    numbers = values.detach().cpu().numpy().astype(np.dtype(kind).newbyteorder("<"))
    packed = gzip.compress(np.ascontiguousarray(numbers).tobytes(), mtime=0)
    return {"type": kind, "data": base64.b64encode(packed).decode()}
