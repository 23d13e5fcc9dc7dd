"""The training of one model and its test, as all processes of a run do it together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from vae_lab.callbacks import Checkpoints, Diverged, Interruption, NonFiniteLoss, TrainingCurves, still_falling
from vae_lab.callbacks.checkpoints import BEST, LAST
from vae_lab.diagnosis.verdict import judge
from vae_lab.networks.batch_norm import share_batch_norms
from vae_lab.runs.names import CHECKPOINTS
from vae_lab.training.assembly import Parts
from vae_lab.training.compiling import compile_mode, compile_training
from vae_lab.training.loading import recipe_of
from vae_lab.training.objective import mean_image_distortion
from vae_lab.training.ranks import company
from vae_lab.training.record import theory_of
from vae_lab.training.resume import Start
from vae_lab.training.strategy import OwnSignals, has_idle_parameters
from vae_lab.training.trainer import device_count, forget_gpus, lengths, make_trainer, quieten, set_threads

FEW = 4  # images to try a model on
VERDICT_FIGURES = ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se", "mutual_information")


@dataclass(frozen=True)
class Session:
    """One process' part of a run: where it writes, where it began, and the seconds that the run has taken so far."""

    directory: Path
    start: Start
    clock: Callable[[], float]


class Trained(NamedTuple):
    """How a training ended: its length, which checkpoint was tested, and the validations that chose it."""

    steps: int
    checkpoint: str
    checkpoint_step: int
    history: Sequence[tuple[int, float]]  # (step, validation loss)


def prepare() -> None:
    """Bring this process into the state in which every run begins."""
    quieten()
    forget_gpus()
    torch.set_float32_matmul_precision("highest")


def train_and_test(
    config: Mapping[str, Any], session: Session, parts: Parts, opened: list[Logger], progress: Callback | None
) -> dict[str, Any]:
    """Fit, take the best checkpoint, test it; returns the fields of the result that come from it."""
    checkpoint = session.start.checkpoint
    with company(config, session.directory, device_count(config), checkpoint=checkpoint and str(checkpoint)):
        trained = fit_and_test(config, session, parts, opened, progress)
    return {
        "checkpoint": trained.checkpoint,
        "checkpoint_step": trained.checkpoint_step,
        "steps": trained.steps,
        "importance_samples": (config["metrics"]["test"].get("nll") or {}).get("k", 0),
        "unfinished": still_falling(trained.history, trained.steps),
        **tested(trained.steps, parts),
    }


def fit_and_test(
    config: Mapping[str, Any],
    session: Session,
    parts: Parts,
    opened: Sequence[Logger] = (),
    progress: Callback | None = None,
    rank: int = 0,
) -> Trained:
    """What all ranks of a run do together: fit the model, and test it with the weights of the best checkpoint."""
    set_threads(config, parts.data)
    recipe, folder = recipe_of(config, parts.data.image_shape), session.directory / CHECKPOINTS
    checkpoints = Checkpoints(folder, parts.end, recipe, session.clock)
    optional = [callback for callback in (parts.figures, progress) if callback and rank == 0]
    watchers = [Interruption(), TrainingCurves(), NonFiniteLoss(), checkpoints, *optional]
    some_idle = False
    if device_count(config) > 1:
        watchers.append(OwnSignals())
        share_batch_norms(parts.model)
        some_idle = any(remedy.freezes for remedy in parts.remedies) or has_idle_parameters(
            parts.model, parts.data.training_sample(FEW)
        )
    trainer = make_trainer(
        {**config, "trainer": config["trainer"] | lengths(config, parts.data)},
        rank,
        some_idle,
        callbacks=[*parts.remedies, parts.evaluation, *watchers],
        logger=list(opened),
        enable_progress_bar=progress is not None,
        default_root_dir=str(session.directory),
    )
    trainer.precision_plugin.convert_module(parts.model)  # before a checkpoint of doubles would be rounded into it
    if mode := compile_mode(config["trainer"]):
        compile_training(parts.model, mode)
    trainer.fit(parts.model, datamodule=parts.data, ckpt_path=session.start.checkpoint, weights_only=True)
    name = LAST if checkpoints.best_step is None else BEST
    content = torch.load(folder / name, map_location=parts.model.device, weights_only=True)
    parts.model.load_state_dict(content["state_dict"])
    trainer.test(parts.model, datamodule=parts.data, verbose=False)
    return Trained(trainer.global_step, name, content["global_step"], checkpoints.history)


def tested(steps: int, parts: Parts) -> dict[str, Any]:
    """The fields of the result that describe the model which was tested after so many steps.

    Raises:
        Diverged: when its ELBO is not finite.
    """
    data, model = parts.data, parts.model
    figures = dict(parts.evaluation.figures)
    if not math.isfinite(float(figures["test/elbo"])):  # type: ignore[arg-type]
        raise Diverged(steps)
    figures["test/distortion_mean_image"] = mean_image_distortion(model, data)
    verdict = judge(*(figures[f"test/{name}"] for name in VERDICT_FIGURES))  # type: ignore[arg-type]
    return {
        "metrics": figures,
        "verdict": verdict.kind,
        "unused": verdict.unused,
        "latent_dim": model.latent_dim,
        "rate_floor": model.rate_floor(),
        "batch_size": data.batch_size,
        **theory_of(parts),
    }
