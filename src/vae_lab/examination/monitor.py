"""``vae_lab.CollapseMonitor``: watches any VAE while it trains, in Lightning or in a plain loop."""

import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import OmegaConf
from torch import Tensor, nn
from typing_extensions import override

from vae_lab.callbacks import Evaluation
from vae_lab.callbacks.evaluation import flat
from vae_lab.checks import integer
from vae_lab.config.groups import CONF
from vae_lab.data import Batch
from vae_lab.data.images import pixels
from vae_lab.examination.beginning import Measurement, warning
from vae_lab.examination.behind import modules_behind, place_of, precision_of, undisturbed
from vae_lab.examination.examples import Examples, Key, read_batch
from vae_lab.examination.form import Form
from vae_lab.examination.given_data import GivenData
from vae_lab.examination.model import Examined
from vae_lab.examination.opening import Opening
from vae_lab.examination.told import Told
from vae_lab.training.measures import build_metrics

PREFIX = "collapse"
ADVICE = "vae_lab.examine says why"


class CollapseWarning(UserWarning):
    """The posterior collapses."""


class CollapseMonitor(Callback):
    """Measures KL per dimension, mutual information, shuffle gap and active units at an interval, and warns once.

    It looks at the last training examples before each interval, in evaluation mode, with noise of its own: training is
    the same with it and without it. At its defaults it takes about 4 passes over 500 examples in 100 steps; with 128
    examples a step that is less than a tenth of the training (``benchmarks/monitor.py`` measures it).

    As a Lightning callback it needs no base class of ours, and logs as ``collapse/rate``, ``collapse/rate_dim/03``,
    ``collapse/mutual_information``, ``collapse/shuffle_gap``, ``collapse/active_units``. In a plain loop call
    ``update(x)`` at each step, and ``compute()`` for the figures.

    Args:
        encode: as for ``vae_lab.examine``; the Lightning module's own method when None.
        decode: likewise.
        every: steps from one measurement to the next.
        images: how many of the last examples are measured; log of it is the ceiling of the mutual information.
        key: which entry of a batch holds the examples, where it is a tuple or dict.
        seed: of the noise.
        told: what else ``examine`` takes of a model: ``likelihood``, ``variance``, ``scale``, ``output``,
            ``distortion``, ``prior``, ``units``.

    ``history`` holds the measurements so far. The warning is a ``CollapseWarning``, with the step in words.

    Raises:
        ValueError: for an interval or a number of images that cannot be.

    Example:
        >>> encoder, decoder = nn.Linear(64, 4), nn.Sequential(nn.Linear(2, 64), nn.Sigmoid())
        >>> monitor = CollapseMonitor(lambda x: encoder(x).chunk(2, dim=1), decoder, likelihood="bernoulli", every=2)
        >>> for step in range(4):
        ...     measured = monitor.update(torch.rand(32, 64))
        >>> sorted(monitor.compute())[:3]
        ['active_units', 'distortion', 'elbo']
    """

    def __init__(
        self,
        encode: Callable[..., Any] | None = None,
        decode: Callable[..., Any] | None = None,
        *,
        every: int = 100,
        images: int = 500,
        key: Key = None,
        seed: int = 0,
        **told: Any,
    ) -> None:
        self.every, self.images = integer("every", every), integer("images", images, low=10)
        self.key, self.seed = key, integer("seed", seed, low=0)
        self.told: dict[str, Any] = {"encode": encode, "decode": decode, **told}
        self.step = 0
        self.history: list[Measurement] = []
        self.warned = False
        self.figures: dict[str, float | list[float]] = {}
        self.kept: deque[Tensor] = deque()
        self.opened: Opened | None = None

    # a plain loop

    def update(self, batch: Any, step: int | None = None) -> bool:
        """Take the batch of a step into account; measure where the interval ends.

        Args:
            batch: examples (B, ...), or a tuple or dict that holds them.
            step: its number, from 1; counted when None.

        Returns:
            Whether it has measured.
        """
        new = step is None or step != self.step
        self.step = self.step + 1 if step is None else step
        steps_left = -self.step % self.every
        x = read_batch(batch, self.key).x
        if steps_left * len(x) < self.images:  # earlier ones would be dropped again
            self.keep(x)
        if steps_left or not new:
            return False
        self.measure()
        return True

    def compute(self) -> dict[str, float | list[float]]:
        """The figures of the last measurement by name: floats, and lists for figures per dimension; nats per example.

        Without one it is made now, on what has been seen; before any update they are empty.
        """
        if not self.figures and self.kept:
            self.measure()
        return self.figures

    def keep(self, x: Tensor) -> None:
        """Keep a batch, and of those before only what is needed."""
        self.kept.append(x)
        while sum(map(len, self.kept)) - len(self.kept[0]) >= self.images:
            self.kept.popleft()

    def measure(self) -> None:
        """Measure the model on what is kept, and warn where a collapse begins."""
        x = torch.cat(list(self.kept))[-self.images :]
        self.kept.clear()
        with torch.no_grad():
            self.opened = self.opened or Opened(Told(**self.told), x, self.seed)
            figures = self.opened.measure(x)
        self.figures = {
            name: value.tolist() for name, value in figures.items() if name != "loss"
        }  # which is not theirs
        names = ("rate", "shuffle_gap", "shuffle_gap_se", "mutual_information")
        self.history.append(Measurement(self.step, *(float(figures[name]) for name in names)))
        words = "" if self.warned else warning(self.history)
        if words:
            self.warned = True
            warnings.warn(f"{words}; {ADVICE}", CollapseWarning, stacklevel=3)

    # Lightning

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for name in ("encode", "decode"):
            if self.told[name] is None and (name == "encode" or not self.told.get("distortion")):
                self.told[name] = getattr(pl_module, name, None)
        self.step = trainer.global_step

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero and self.update(batch, trainer.global_step):
            row = {name: value.item() for name, value in flat(as_tensors(self.figures))}
            trainer.callback_metrics.update({name: torch.tensor(value) for name, value in row.items()})
            for logger in trainer.loggers:
                logger.log_metrics(row, step=trainer.global_step)


class Opened:
    """A model that is being trained, opened once, with the metrics of a run's validation.

    Args:
        told: what the person says of it.
        x: the first examples, which tell their form.
        seed: of the noise.

    Raises:
        ArgumentError: for whatever does not fit.
    """

    def __init__(self, told: Told, x: Tensor, seed: int) -> None:
        self.networks: nn.Module = modules_behind([told.encode, told.decode, told.distortion])
        dtype = precision_of(self.networks)
        self.data = GivenData(Examples(x), None, Form.of(x, dtype), seed=seed)
        device = place_of(self.networks)
        with undisturbed(self.networks):
            opening = Opening(told, self.data, self.data.form, device, dtype or torch.float32)
            self.model: Examined = opening.model(seed)
        self.evaluation = Evaluation(val=build_metrics(self.nodes(), "val", self.model, self.data), test={})

    def nodes(self) -> dict[str, Any]:
        """The metrics of a run's validation, for this model."""
        nodes = OmegaConf.to_container(OmegaConf.load(CONF / "metrics" / "default.yaml"))
        assert isinstance(nodes, dict)
        chosen: dict[str, Any] = nodes["val"]
        latent = self.model.latent
        chosen["elbo"]["latent_dim"] = latent.units
        for name in ("active_units", "shuffle_gap"):
            chosen[name]["units"] = latent.units if latent.spatial else None
        return chosen

    def measure(self, x: Tensor) -> dict[str, Tensor]:
        """The figures of examples x (N, ...) by name."""
        images = pixels(self.data.held(x)).to(self.model.device)
        batch = Batch(images, torch.arange(len(images), device=self.model.device))
        with undisturbed(self.networks):
            self.evaluation.start("val", self.model)
            self.evaluation.update("val", self.model, self.model.evaluated(batch, 0, "val"), batch, 0)
            return self.evaluation.compute("val")


def as_tensors(figures: dict[str, float | list[float]]) -> dict[str, Tensor]:
    """Figures by the names that they are logged under."""
    return {f"{PREFIX}/{name}": torch.as_tensor(value) for name, value in figures.items()}
