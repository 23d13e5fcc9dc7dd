"""Figures: draws the latent space while a model trains, and all figures at the end."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, Trainer
from typing_extensions import override

from vae_lab.callbacks.evaluation import Evaluation
from vae_lab.checks import ArgumentError, choice, integer, one_line
from vae_lab.data import ImageData
from vae_lab.models import VAE

if TYPE_CHECKING:
    from vae_lab.figures.frames import Frame
    from vae_lab.gallery import Subject

log = logging.getLogger(__name__)

FOLDER, FRAMES = "figures", "frames"  # in the run directory, and in that


class Figures(Callback):
    """Every so many steps it records a frame of the film and draws it; after the test it draws every figure.

    The files go to ``figures/`` of the trainer's ``default_root_dir``, and to each logger that has a method
    ``log_pictures(files, step)``. What cannot be drawn is a warning, never the end of a run; nothing here changes the
    model or draws from a global generator, so that training is the same with it and without it.

    Args:
        data: the images.
        evaluation: what measures the test split.
        every: optimizer steps from frame to frame; the first is that of the model before training.
        only: the figures at the end by name; all when None.
        dims: the two latent dimensions of manifold, scatter and film; by default the most used, in the film those of
            its first frame.
        grid: pictures along a side of the manifold.

    Raises:
        ValueError: for an interval or figure that cannot be, or when matplotlib is not installed.

    Example:
        >>> from vae_lab.data import Digits
        >>> figures = Figures(Digits(), Evaluation(val={}, test={}), every=50, only=["manifold", "film"])
    """

    def __init__(
        self,
        data: ImageData,
        evaluation: Evaluation,
        every: int = 100,
        only: Sequence[str] | None = None,
        dims: Sequence[int] | None = None,
        grid: int | None = None,
    ) -> None:
        if not find_spec("matplotlib"):
            raise ValueError("matplotlib is not installed; pip install 'vae_lab[figures]'")
        from vae_lab.gallery import NAMES, Settings

        self.data, self.evaluation, self.every = data, evaluation, integer("every", every)
        if only is not None and (isinstance(only, str) or not isinstance(only, Sequence) or not only):
            raise ArgumentError("only", only, f"must be a list of {', '.join(NAMES)}")
        if dims is not None and (isinstance(dims, str) or not isinstance(dims, Sequence)):
            raise ArgumentError("dims", dims, "must be a list of dimensions")
        self.only = [choice("only", name, NAMES) for name in only or NAMES]
        self.settings = Settings(dims=None if dims is None else tuple(dims), grid=grid)
        self.dims = self.settings.dims
        self.history: list[Frame] = []
        self.seconds = 0.0

    def check(self, model: VAE) -> None:
        """Refuse dimensions that the model does not have.

        Raises:
            ArgumentError: naming them.
        """
        self.settings.check(model.latent_dim, len(self.data.splits[self.settings.split].images))

    @override
    def on_train_start(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        from vae_lab.figures.frames import frames

        if step := trainer.global_step:  # a run that goes on goes on with its film
            there = [frame for frame in frames(folder_of(trainer) / FRAMES) if frame.step <= step]
            self.history = [replace(frame, pictures=frame.pictures[:0]) for frame in there]
            self.dims = there[0].dims if there else self.dims

    @override
    def on_train_batch_start(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx:
            return
        for old in (folder_of(trainer) / FRAMES).glob("*.npz"):  # of a run that was here before
            old.unlink()
        if self.dims or pl_module.latent_dim <= 2:
            self.dims = self.dims or tuple(range(pl_module.latent_dim))
            self.film(trainer, pl_module)

    @override
    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: VAE, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.film(trainer, pl_module)

    @override
    def on_test_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        from vae_lab.gallery import draw

        for name in self.only:
            with self.drawing(trainer, pl_module, name) as subject:
                self.publish(trainer, draw(subject, folder_of(trainer), [name]))
        log.info("figures took %.1f s of this run", self.seconds)

    def film(self, trainer: Trainer, model: VAE) -> None:
        """Record the present frame, and draw it."""
        from vae_lab.figures import film
        from vae_lab.gallery import record

        with self.drawing(trainer, model, "film") as subject:
            frame = record(subject, trainer.global_step, self.dims)
            frame.write(folder_of(trainer) / FRAMES)
            self.dims = frame.dims
            self.history.append(frame)
            picture = folder_of(trainer) / "film.png"
            film.draw(self.history, subject.caption).savefig(picture)
            self.history[-1] = replace(frame, pictures=frame.pictures[:0])  # they lie in the file
            self.publish(trainer, [picture])

    @contextmanager
    def drawing(self, trainer: Trainer, model: VAE, name: str) -> Iterator["Subject"]:
        """What is drawn, with the model in evaluation mode; the time counts, and a failure is a line in the log."""
        from vae_lab.gallery import Measured, Subject
        from vae_lab.gallery.subject import by_dimension

        found = self.evaluation.figures
        gap, gap_se = (by_dimension(found, f"test/shuffle_gap_dim{end}") for end in ("", "_se"))
        began = time.perf_counter()
        try:
            with evaluating(model):
                yield Subject(model, self.data, self.settings, Measured(gap, gap_se), folder_of(trainer) / FRAMES)
        except Exception as error:  # a figure is never worth a run
            log.warning("figure %s is left out at step %d: %s", name, trainer.global_step, one_line(error))
        self.seconds += time.perf_counter() - began

    def publish(self, trainer: Trainer, files: Iterable[Path]) -> None:
        """Hand the files to the loggers that take pictures."""
        pictures: Mapping[str, Path] = {file.stem if file.suffix == ".png" else file.name: file for file in files}
        for logger in trainer.loggers:
            if hasattr(logger, "log_pictures"):
                logger.log_pictures(pictures, trainer.global_step)


def folder_of(trainer: Trainer) -> Path:
    """The folder of a run's figures."""
    return Path(trainer.default_root_dir) / FOLDER


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, until the block ends; then each module is again in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
