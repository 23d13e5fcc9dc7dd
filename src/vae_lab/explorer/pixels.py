"""Images as a browser paints them: bytes. B images (B, C, H, W), of which each becomes (H, W', K), K = 1 or 3."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

COLOURS = 3
LARGEST_THUMBNAIL = 64  # pixels of the longer side


def to_bytes(images: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Grey or colour bytes (B, H, W', K) of images (B, C, H, W); the range of the data becomes 0 to 255.

    Values outside it are cut off. Three channels are red, green and blue; of any other number each is grey, and they
    lie side by side.

    Example:
        >>> to_bytes(torch.tensor([[[[-2.0, 0.0, 5.0]]]]), (-1.0, 1.0)).flatten()
        tensor([  0, 128, 255], dtype=torch.uint8)
        >>> to_bytes(torch.zeros(5, 2, 8, 8), (0.0, 1.0)).shape
        torch.Size([5, 8, 16, 1])
    """
    low, high = value_range
    levels = (images.float() - low) / max(high - low, torch.finfo(torch.float32).tiny) * 255
    levels = levels.nan_to_num(0).clamp(0, 255).round().to(torch.uint8)
    if images.shape[1] == COLOURS:
        return levels.permute(0, 2, 3, 1).contiguous()
    return levels.permute(0, 2, 1, 3).flatten(2).unsqueeze(-1)


def thumbnails(images: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Bytes of images whose longer side is above ``LARGEST_THUMBNAIL``, made smaller by whole factors, or as they are.

    Example:
        >>> thumbnails(torch.rand(5, 3, 200, 100), (0.0, 1.0)).shape
        torch.Size([5, 50, 25, 3])
    """
    factor = -(-max(images.shape[2:]) // LARGEST_THUMBNAIL)
    return to_bytes(avg_pool2d(images.float(), factor, ceil_mode=True) if factor > 1 else images, value_range)
