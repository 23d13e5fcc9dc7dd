"""What a stack is fed: the batch and the noise of each job, drawn once for all jobs of one seed.

Shapes: K jobs, R seeds, B batch, S noise streams, D latent.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from vae_lab.data import ImageData
from vae_lab.models import VAE
from vae_lab.stacking.model import StackedModel


class Feed:
    """The training batches and all noise of jobs on the same data.

    Args:
        stack: the models.
        data: of each, in the same order; they differ in their seeds only.
    """

    def __init__(self, stack: StackedModel, data: Sequence[ImageData]) -> None:
        seeds = [(one.seed, model.seed) for one, model in zip(data, stack.models, strict=True)]
        firsts = [seeds.index(seed) for seed in dict.fromkeys(seeds)]
        self.data: list[ImageData] = [data[k] for k in firsts]
        self.models: list[VAE] = [stack.models[k] for k in firsts]
        self.like = stack.models[0].kl_weight  # its device and precision are those of the stack
        self.rows = torch.tensor([list(dict.fromkeys(seeds)).index(seed) for seed in seeds], device=self.like.device)
        train = data[0].splits["train"]
        images = train.images.to(self.like.device) if isinstance(train.images, Tensor) else train.images
        self.train = train._replace(images=images, labels=None, factors=None)
        self.epoch, self.orders = -1, [torch.empty(0)] * len(firsts)
        self.kept: dict[tuple[str, int], Tensor] = {}

    def batch(self, step: int) -> Tensor:
        """The images (K, B, C, H, W) of an optimizer step."""
        first, size = self.data[0], self.data[0].batch_size
        if (epoch := step // first.batches_per_epoch) != self.epoch:
            self.epoch, self.orders = epoch, [data.epoch_order(epoch) for data in self.data]
        chosen = [data.train_indices(step, order) for data, order in zip(self.data, self.orders, strict=True)]
        indices = torch.cat(chosen)
        x = self.train.batch(indices.to(self.like.device) if isinstance(self.train.images, Tensor) else indices).x
        x = x.to(self.like).view(len(chosen), size, *x.shape[1:])
        if first.flip:
            mirrored = torch.stack([data.mirrored(step) for data in self.data])
            x = torch.where(mirrored.to(x.device), x.flip(-1), x)
        if first.binarize == "dynamic":
            thresholds = torch.stack([data.thresholds(size, data.seed, step) for data in self.data])
            x = (x > thresholds.to(self.like)).to(x)
        return self.to_jobs(x)

    def noise(self, step: int) -> Tensor:
        """The noise (K, S, B, D) of an optimizer step."""
        size = self.data[0].batch_size
        return self.to_jobs(torch.stack([model.noise_of_step(step, size) for model in self.models]))

    def evaluation_noise(self, indices: Tensor, split: str) -> Tensor:
        """The noise (K, S, B, D) of the images with these indices (B,), the same at each pass."""
        key = (split, int(indices[0]))
        if key not in self.kept:
            self.kept[key] = torch.stack([model.evaluation_noise(indices, split) for model in self.models])
        return self.to_jobs(self.kept[key])

    def to_jobs(self, by_seed: Tensor) -> Tensor:
        """What belongs to each seed (R, ...) as it belongs to each job (K, ...)."""
        return by_seed.index_select(0, self.rows)
