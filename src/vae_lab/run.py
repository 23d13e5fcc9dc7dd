"""One run, top to bottom: build -> fit -> test -> result.json."""

import logging
import math
import platform
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from torch import nn

from vae_lab import loggers
from vae_lab.build import build, naming
from vae_lab.callbacks import Checkpoints, Diverged, Divergence, Evaluation, FreeBits, KLAnnealing, still_falling
from vae_lab.checks import ConfigError, integer, one_line
from vae_lab.data import ImageData
from vae_lab.likelihoods import Gaussian, Likelihood
from vae_lab.models import VAE
from vae_lab.results import CHECKPOINTS, RESULT, write_json
from vae_lab.spectrum import Floats, spectrum
from vae_lab.verdict import judge

log = logging.getLogger(__name__)


@dataclass
class Parts:
    """What a config builds."""

    data: ImageData
    model: VAE
    annealing: KLAnnealing
    evaluation: Evaluation
    callbacks: list[Callback]


def build_model(config: Mapping[str, Any], image_shape: tuple[int, int, int]) -> tuple[VAE, list[Callback]]:
    """Build the model with weights drawn from the seed, and the callbacks that shape its objective.

    Raises:
        ConfigError: for whatever in ``config`` does not fit, by name.
    """
    with naming("model"):
        latent_dim = integer("latent_dim", config["model"].get("latent_dim"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config["seed"])
        networks = {
            part: build(config[part], part, nn.Module, image_shape=image_shape, latent_dim=latent_dim)
            for part in ("encoder", "decoder")
        }
        likelihood = build(config["likelihood"], "likelihood", Likelihood)
        optimizer = build({**config["optimizer"], "_partial_": True}, "optimizer", torch.optim.Optimizer)
        model: VAE = build(
            config["model"], "model", VAE, **networks, likelihood=likelihood, optimizer=optimizer, seed=config["seed"]
        )
    with naming("optimizer"):
        optimizer([nn.Parameter(torch.zeros(1))])
    callbacks: list[Callback] = []
    if config["free_bits"]:
        free_bits: FreeBits = build(config["free_bits"], "free_bits", FreeBits)
        free_bits.install(model)
        callbacks.append(free_bits)
    return model, callbacks


def assemble(config: Mapping[str, Any]) -> Parts:
    """Build and check everything that a run needs before its first step.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    try:
        integer("seed", config["seed"], low=0, high=2**63 - 1)
        integer("threads", 1 if config["threads"] is None else config["threads"])
        integer("epochs", 1 if config["epochs"] is None else config["epochs"])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    data: ImageData = build(config["data"], "data", ImageData, seed=config["seed"])
    model, callbacks = build_model(config, data.image_shape)
    annealing: KLAnnealing = build(config["annealing"], "annealing", KLAnnealing)
    evaluation: Evaluation = build(config["evaluation"], "evaluation", Evaluation, data_range=data.value_range)
    check_fit(data, model)
    return Parts(data, model, annealing, evaluation, [annealing, evaluation, *callbacks])


def check_fit(data: ImageData, model: VAE) -> None:
    """Refuse parts that cannot work together.

    Raises:
        ConfigError: naming the part, its value and what is allowed.
    """
    (low, high), support = data.value_range, model.likelihood.support
    if support and (low < support[0] or high > support[1]):
        raise ConfigError(
            f"likelihood={type(model.likelihood).__name__.lower()}: needs pixels in [{support[0]:g}, {support[1]:g}], "
            f"the data reach from {low:g} to {high:g}; use likelihood=gaussian or rescale the data"
        )
    if data.batch_size < model.min_batch_size:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: {type(model).__name__} needs at least {model.min_batch_size} images "
            "in a batch"
        )
    images = next(data.eval_stream("val"))[:2]
    expected = (len(images), model.latent_dim)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        try:
            answer = model.encoder(images)
            shapes = [tuple(part.shape) for part in answer]
        except Exception as error:  # a person's own network may raise anything
            raise ConfigError(f"encoder: fails on images {tuple(images.shape)}: {one_line(error)}") from error
        if shapes != [expected, expected]:
            raise ConfigError(f"encoder: gives {shapes}; must be two tensors {expected}, location and raw scale")
        try:
            shape = tuple(model.decoder(answer[0]).shape)
        except Exception as error:
            raise ConfigError(f"decoder: fails on latents {expected}: {one_line(error)}") from error
        if shape != tuple(images.shape):
            raise ConfigError(f"decoder: gives {shape}; must be {tuple(images.shape)}")
    model.train(was_training)


RESERVED = {
    *("accumulate_grad_batches", "callbacks", "check_val_every_n_epoch", "default_root_dir", "enable_checkpointing"),
    *("enable_model_summary", "enable_progress_bar", "fast_dev_run", "limit_test_batches", "limit_train_batches"),
    *("limit_val_batches", "logger", "max_epochs", "max_time", "min_epochs", "min_steps", "num_nodes"),
    *("num_sanity_val_steps", "overfit_batches", "use_distributed_sampler"),
}


def lengths(config: Mapping[str, Any], data: ImageData) -> dict[str, int]:
    """The trainer's lengths in steps: as they are, or as many steps as ``epochs`` whole passes take."""
    if config["epochs"] is None:
        return {}
    steps = config["epochs"] * data.batches_per_epoch
    return {"max_steps": steps, "val_check_interval": max(steps // 10, 1)}


def make_trainer(config: Mapping[str, Any], **extra: Any) -> Trainer:
    """Build the Lightning trainer; lengths are in steps, files and logs are ours.

    Raises:
        ConfigError: when Lightning refuses an argument.
    """
    node = dict(config["trainer"])
    with naming("trainer"):
        for name in RESERVED & node.keys():
            raise ValueError(f"{name}={node[name]}: is not supported: vae_lab sets it, or counts in plain steps")
        if str(node.get("devices", 1)) != "1":
            raise ValueError(f"devices={node['devices']}: must be 1: one run on several devices is not supported yet")
        for name in ("max_steps", "val_check_interval", "log_every_n_steps"):
            integer(name, node.get(name))
    fixed = {"max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}
    quiet = {"enable_checkpointing": False, "enable_model_summary": False, "use_distributed_sampler": False}
    try:
        trainer: Trainer = build(node, "trainer", Trainer, **fixed, **quiet, **extra)
    except ConfigError:
        raise
    except Exception as error:  # Lightning's MisconfigurationException and those of its accelerators
        raise ConfigError(f"trainer: {one_line(error)}") from error
    return trainer


TORCH_THREADS = torch.get_num_threads()  # torch's own choice, before any run changed it
FEW_PIXELS = 256


def set_threads(config: Mapping[str, Any], data: ImageData) -> None:
    """Set the CPU threads of torch: as ``threads`` says, or one where images are so small that more only wait."""
    small = math.prod(data.image_shape) < FEW_PIXELS
    torch.set_num_threads(config["threads"] or (1 if small else TORCH_THREADS))


def check(config: Mapping[str, Any]) -> None:
    """Build everything and throw it away: what passes here can start.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    assemble(config)
    make_trainer(config, logger=False, enable_progress_bar=False)


def execute(
    config: Mapping[str, Any],
    directory: Path,
    overrides: Mapping[str, Any],
    progress: Callback | None = None,
    name: str = "run",
    group: str = "",
) -> dict[str, Any]:
    """Train and test one model, and keep ``result.json`` true at each stage, whatever happens.

    Args:
        config: the whole config as plain data.
        directory: the run directory.
        overrides: what was set for this run, by key.
        progress: the progress bar, if any.
        name: what loggers call the run.
        group: what loggers call the sweep it belongs to.

    Returns:
        The content of ``result.json``: of a run that finished or diverged.

    Raises:
        ConfigError: for whatever in the config does not fit.
        Exception: whatever else broke; recorded as ``failed`` before it goes on.
    """
    quieten()
    torch.set_float32_matmul_precision("highest")
    directory.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    record: dict[str, Any] = {
        "status": "running",
        "reason": None,
        "overrides": dict(overrides),
        "seed": config["seed"],
        "metrics": {},
        "versions": versions(),
        "started": now(),
        "ended": None,
    }
    write_json(directory / RESULT, record)
    opened: list[Any] = []
    try:
        parts = assemble(config)
        opened.append(loggers.CSV(directory))
        for key, node in (config["logger"] or {}).items():
            extra = {"directory": directory, "name": name, "group": group, "config": config}
            opened.append(build(node, f"logger.{key}", Logger, **extra))
        record |= train_and_test(config, directory, parts, opened, progress)
        record["status"] = "finished"
    except Diverged as error:
        record |= {"status": "diverged", "reason": str(error), "diverged_step": error.step}
        log.warning("diverged: %s", error)
    except BaseException as error:
        record |= {"status": "failed", "reason": str(error) if isinstance(error, ConfigError) else one_line(error)}
        log.exception("failed")
        raise
    finally:
        record |= {"seconds": round(time.perf_counter() - began, 3), "ended": now()}
        write_json(directory / RESULT, record)
        loggers.close(opened, directory, record)
    return record


def train_and_test(
    config: Mapping[str, Any], directory: Path, parts: Parts, opened: list[Any], progress: Callback | None
) -> dict[str, Any]:
    """Fit, take the best checkpoint, test it; returns the entries of ``result.json`` that come from it."""
    data, model = parts.data, parts.model
    set_threads(config, data)
    recipe = {"config": dict(config), "image_shape": list(data.image_shape)}
    checkpoints = Checkpoints(directory / CHECKPOINTS, parts.annealing.end, recipe)
    watchers = [Divergence(), checkpoints, *([progress] if progress else [])]
    trainer = make_trainer(
        {**config, "trainer": config["trainer"] | lengths(config, data)},
        callbacks=parts.callbacks + watchers,
        logger=opened,
        enable_progress_bar=progress is not None,
        default_root_dir=str(directory),
    )
    trainer.fit(model, datamodule=data)

    steps, best = trainer.global_step, checkpoints.best_step
    chosen, chosen_step = ("last.ckpt", steps) if best is None else ("best.ckpt", best)
    state = torch.load(checkpoints.directory / chosen, weights_only=True)["state_dict"]
    model.load_state_dict(state)
    trainer.test(model, datamodule=data, verbose=False)

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
        "objective": objective(parts.annealing, model, data),
        "unfinished": still_falling(checkpoints.history, steps),
        "checkpoint": f"{chosen} at step {chosen_step}",
        "steps": steps,
        "batch_size": data.batch_size,
    }


def objective(annealing: KLAnnealing, model: VAE, data: ImageData) -> dict[str, Any]:
    """What the run minimised at its end, and what its data can pay for: the evidence of a diagnosis.

    ``effective_beta`` is what one nat of rate weighs against one nat of distortion. ``spectrum`` holds the eigenvalues
    that it is compared with (``vae_lab.spectrum``), as many as there are latents.
    """
    likelihood, pixels = model.likelihood, math.prod(data.image_shape)
    averaged = pixels if model.distortion_reduction == "mean" else 1
    return {
        "model": type(model).__name__,
        "likelihood": type(likelihood).__name__,
        "variance": float(likelihood.log_variance.detach().exp()) if isinstance(likelihood, Gaussian) else None,
        "learned_variance": isinstance(likelihood, Gaussian) and likelihood.learned,
        "pixels": pixels,
        "distortion_reduction": model.distortion_reduction,
        "kl_weight": float(model.kl_weight),
        "rate_weight": model.rate_weight(),
        "effective_beta": averaged * model.rate_weight() * float(model.kl_weight),
        "spectrum": data_spectrum(model, data)[: model.latent_dim].tolist(),
        "schedule_end": annealing.end,
    }


def data_spectrum(model: VAE, data: ImageData) -> Floats:
    """Eigenvalues (P,) of the training images in units of the likelihood's pixel variance; see ``vae_lab.spectrum``."""
    x = data.training_sample()
    variance = model.likelihood.pixel_variance(x.mean(0).to(model.device)).clamp(min=1e-4)
    return spectrum(x.flatten(1).double().numpy(), variance.flatten().double().cpu().numpy())


VERDICT_FIGURES = ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se", "mutual_information")


def mean_image_distortion(model: VAE, data: ImageData) -> float:
    """Test distortion, nats per image, of a decoder that always answers with the mean training image."""
    mean, variance = data.train_moments()
    batches = [x.to(model.device) for x in data.eval_stream("test")]
    with torch.no_grad():
        scores = [model.likelihood.constant_distortion(x, mean.to(x), variance).double() for x in batches]
    return float(torch.cat(scores).mean())


def quieten() -> None:
    """Send what Lightning and warnings say to the run's log file, not to the screen."""
    logging.captureWarnings(True)
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def now() -> str:
    """The present time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def versions() -> dict[str, str]:
    """Versions of what figures depend on."""
    packages = ("vae_lab", "torch", "torchvision", "lightning", "torchmetrics", "hydra-core")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}
