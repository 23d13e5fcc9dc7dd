"""Evaluation: measures the model from outside, on the validation split during training and on the test split after."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from typing_extensions import override

from vae_lab import metrics, noise
from vae_lab.checks import integer
from vae_lab.data import Batch, as_batch
from vae_lab.models import VAE, Output

GAUSSIAN_WINDOW = 11  # of SSIM (Wang et al. 2004); smaller images take their uniform 7x7 window


class Evaluation(Callback):
    """Feeds a split through the metrics, batch by batch, and logs what they say as ``val/...`` or ``test/...``.

    Args:
        data_range: (least, largest) pixel, for PSNR and SSIM.
        k: importance samples K of the test split's ``nll``; 0 leaves it out.
        max_values: how many pixels are decoded at a time for ``nll``: the bound of its memory.

    After a test, ``figures`` holds all figures of the split by name: floats, and lists for figures per dimension.
    """

    def __init__(self, data_range: tuple[float, float], k: int = 50, max_values: int = 10_000_000) -> None:
        self.k, self.max_values = integer("k", k, low=0), integer("max_values", max_values)
        self.data_range = data_range
        self.figures: dict[str, float | list[float]] = {}

    def collection(self, model: VAE, x: Tensor, whole: bool) -> MetricCollection:
        """Fresh metrics for one pass over a split of images like x (B, C, H, W); ``whole`` with the costly ones."""
        low, high = self.data_range
        options: dict[str, Any] = {"data_range": max(high - low, 1e-6)}
        window: dict[str, Any] = (
            {} if min(x.shape[2:]) >= GAUSSIAN_WINDOW else {"gaussian_kernel": False, "kernel_size": 7}
        )
        collection: list[Metric] = [
            metrics.RateDistortion(model.latent_dim),
            metrics.ActiveUnits(),
            metrics.EpsilonDeltaCollapse(model.latent_dim),
            metrics.MutualInformation(),
            metrics.ShuffleGap(partial(distortion, model), per_dimension=whole, chunk=len(x)),
        ]
        if not model.autoregressive:  # whose parameters predict pixels from pixels: no reconstruction to compare
            collection.append(PeakSignalNoiseRatio(**options))
            if min(x.shape[2:]) >= 7:
                collection.append(StructuralSimilarityIndexMeasure(**options, **window))
        return MetricCollection(collection, compute_groups=False).to(x.device)

    def update(self, model: VAE, output: Output, batch_idx: int, whole: bool) -> None:
        """Take one batch into account."""
        terms = output.terms
        if batch_idx == 0:
            self.metrics = self.collection(model, terms.x, whole)
            self.pixels = terms.x[0].numel() if model.likelihood.discrete else 0  # by which bits are counted
        mean_image = model.likelihood(terms.params).mean
        self.metrics.update(loss=output.loss, **terms._asdict(), preds=mean_image, target=terms.x)

    def compute(self) -> dict[str, Tensor]:
        """All figures by name: () each, (D,) for figures per dimension."""
        figures = {RENAMED.get(name, name): value.detach() for name, value in self.metrics.compute().items()}
        figures["prior_gap"] = figures["rate"] - figures["mutual_information"]
        if self.pixels:
            figures["bits_per_dim"] = -figures["elbo"] / (math.log(2) * self.pixels)
        return figures

    @override
    def on_validation_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: VAE,
        outputs: Output,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.update(pl_module, outputs, batch_idx, whole=False)

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.log_dict({f"val/{name}": value for name, value in flat(self.compute())})

    @override
    def on_test_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: VAE,
        outputs: Output,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.update(pl_module, outputs, batch_idx, whole=True)
        if self.k:
            if batch_idx == 0:
                self.nll = metrics.ImportanceWeightedNLL().to(pl_module.device)
            self.nll.update(log_weights(pl_module, as_batch(batch, batch_idx), self.k, self.max_values))

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        figures = self.compute() | (self.nll.compute() if self.k else {})
        pl_module.log_dict({f"test/{name}": value for name, value in flat(figures)})
        self.figures = {f"test/{name}": value.tolist() for name, value in figures.items()}


RENAMED = {"PeakSignalNoiseRatio": "psnr", "StructuralSimilarityIndexMeasure": "ssim"}


def distortion(model: VAE, z: Tensor, x: Tensor) -> Tensor:
    """-log p(x|z), (B,), of latents z (B, D) and images x (B, C, H, W)."""
    return -model.likelihood.log_prob(model.predict(z, x), x)


def log_weights(model: VAE, batch: Batch, k: int, max_values: int) -> Tensor:
    """Importance log-weights (K, B) of one batch, about ``max_values`` pixels decoded at a time."""
    step = max(max_values // batch.x.numel(), 1)
    samples = torch.arange(k).split(step)
    return torch.cat([model.log_weights(batch.x, draws(model, batch.indices, chunk)) for chunk in samples])


def draws(model: VAE, indices: Tensor, samples: Tensor) -> Tensor:
    """Noise (K, B, D) of the importance samples with these numbers, for the images with these indices (B,)."""
    rows = partial(noise.normal_rows, indices, model.latent_dim, model.kl_weight, seed=model.seed)
    return torch.stack([rows(purpose=f"nll/{sample}") for sample in samples.tolist()])


def flat(figures: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Scalars under their own name, vectors as ``name/00``, ``name/01``, ..."""
    for name, value in figures.items():
        if value.ndim == 0:
            yield name, value
        else:
            yield from ((f"{name}/{j:02d}", element) for j, element in enumerate(value))
