"""scikit-learn's digits: 1,797 real 8x8 scans that travel with the library. The default, needs no download."""

from functools import cache

import torch
from sklearn.datasets import load_digits

from vae_lab.data.images import ImageData, Split, random_split


@cache
def load() -> dict[str, Split]:
    """1,197 training, 300 validation and 300 test images of a fixed permutation, pixels 0..16 scaled to [0, 1]."""
    digits = load_digits()
    images = torch.from_numpy(digits.images / 16).float().unsqueeze(1)
    whole = Split(images, torch.from_numpy(digits.target).long())
    return random_split(whole, {"train": 1197, "val": 300, "test": 300})


class Digits(ImageData):
    """Optical digits (Alpaydin & Kaynak 1998), (1, 8, 8) in [0, 1]."""

    def load(self) -> dict[str, Split]:
        return dict(load())
