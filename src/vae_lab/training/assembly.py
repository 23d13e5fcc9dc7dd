"""From a plain config to the parts of a run, checked so far that training can start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import nn

from vae_lab.callbacks import Evaluation, Figures, Remedy
from vae_lab.checks import ConfigError, integer, number, one_line
from vae_lab.config.build import build, locate, maker, naming
from vae_lab.data import ImageData
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.schedules import Decay
from vae_lab.models import VAE
from vae_lab.training.measures import build_evaluation, check_metrics
from vae_lab.training.trainer import device_count


@dataclass
class Parts:
    """What a config builds."""

    data: ImageData
    model: VAE
    remedies: list[Remedy]
    evaluation: Evaluation
    figures: Figures | None = None

    @property
    def end(self) -> float:
        """The first step from which no coefficient changes any more."""
        return max((remedy.end for remedy in self.remedies), default=0)


MOST_THREADS = 1024  # torch ends the process where the system has no more
REQUIRED = ("data", "model", "encoder", "decoder", "likelihood", "annealing", "metrics", "optimizer", "trainer")

# numbers of torch's optimizers, which let NaN pass
NONNEGATIVE = {"lr", "weight_decay", "momentum", "dampening", "eps"}
# config groups, each of one callback or none, and their options that leave training as it is
REMEDIES = {
    **{"annealing": "constant", "free_bits": "off", "control": "off", "inference": "joint"},
    "perceptual": "off",
}


def build_model(config: Mapping[str, Any], image_shape: tuple[int, int, int]) -> tuple[VAE, list[Remedy]]:
    """Build the model with weights drawn from the seed, and the callbacks that shape its training.

    Raises:
        ConfigError: for whatever in ``config`` does not fit, by name.
    """
    with naming("model"):
        latent_dim = integer("latent_dim", config["model"].get("latent_dim"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config["seed"])
        likelihood: Likelihood = build(config["likelihood"], "likelihood", Likelihood)
        networks = {
            "encoder": build(config["encoder"], "encoder", nn.Module, image_shape=image_shape, latent_dim=latent_dim),
            "decoder": build_decoder(config["decoder"], likelihood.parents(image_shape[0]), image_shape, latent_dim),
        }
        about = dict(config["optimizer"])
        with naming("optimizer"):
            lr_decay = Decay.taken_from(about)
            for name in NONNEGATIVE & about.keys():
                number(name, about[name], low=0)
        optimizer = maker(about, "optimizer", torch.optim.Optimizer)
        extra = {"likelihood": likelihood, "optimizer": optimizer, "lr_decay": lr_decay, "seed": config["seed"]}
        model: VAE = build(config["model"], "model", VAE, **networks, **extra)
    with naming("optimizer"):
        optimizer([nn.Parameter(torch.zeros(1))])
    remedies = build_remedies(config)
    for group, remedy in remedies.items():
        with naming(group):
            remedy.install(model)
    return model, list(remedies.values())


def build_decoder(node: Any, parents: tuple[int, ...], image_shape: tuple[int, int, int], latent_dim: int) -> nn.Module:
    """Build a decoder that gives as many channels as the likelihood has ``parents``.

    One that takes ``parents`` is told them beside the images' own shape; to any other they are the images.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    extra: dict[str, Any] = {"image_shape": (len(parents), *image_shape[1:]), "latent_dim": latent_dim}
    if (
        isinstance(node, Mapping)
        and "parents" in signature(locate(node.get("_target_"), "decoder", nn.Module)).parameters
    ):
        extra |= {"image_shape": image_shape, "parents": parents}
    decoder: nn.Module = build(node, "decoder", nn.Module, **extra)
    return decoder


def build_remedies(config: Mapping[str, Any]) -> dict[str, Remedy]:
    """Build the callbacks that shape a training, by config group.

    Raises:
        ConfigError: for whatever does not fit, and for two that each price the rate.
    """
    remedies = {group: build(config[group], group, Remedy) for group in REMEDIES if config.get(group)}
    check_exclusive(remedies)
    return remedies


def prepare(config: Mapping[str, Any], model: VAE, data: ImageData) -> None:
    """Put into the model what its loss needs and no checkpoint holds.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    for group, remedy in build_remedies(config).items():
        with naming(group):
            remedy.prepare(model, data)


def check_exclusive(remedies: Mapping[str, Remedy]) -> None:
    """Refuse two that each price the rate.

    Raises:
        ConfigError: naming both groups.
    """
    owners = [group for group, remedy in remedies.items() if remedy.prices_rate]
    if len(owners) > 1:
        off = " or ".join(f"{group}={REMEDIES[group]}" for group in owners)
        raise ConfigError.part(owners[1], f"cannot go with {owners[0]} as chosen: both price the rate; take {off}")


def check_whole(config: Mapping[str, Any]) -> None:
    """Refuse a config without a group that each run needs.

    Raises:
        ConfigError: naming the group.
    """
    for group in REQUIRED:
        if not config.get(group):
            raise ConfigError.part(group, "must be given, no run goes without it")
        if not isinstance(config[group], Mapping):
            raise ConfigError.setting(group, config[group], "must be an option of its group, with settings of its own")


def assemble(config: Mapping[str, Any]) -> Parts:
    """Build and check everything that a run needs before its first step.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    check_whole(config)
    with naming():
        integer("seed", config.get("seed"), low=0, high=2**63 - 1)
        for name, most in (("threads", MOST_THREADS), ("epochs", None)):
            integer(name, 1 if config.get(name) is None else config[name], high=most)
    data: ImageData = build(config["data"], "data", ImageData, seed=config["seed"])
    model, remedies = build_model(config, data.image_shape)
    check_shares(data, device_count(config))
    check_fit(data, model)
    prepare(config, model, data)
    check_metrics(config["metrics"], remedies)
    evaluation = build_evaluation(config["metrics"], model, data)
    return Parts(data, model, remedies, evaluation, build_figures(config, model, data, evaluation))


def build_figures(config: Mapping[str, Any], model: VAE, data: ImageData, evaluation: Evaluation) -> Figures | None:
    """Build the callback that draws, where the config asks for it.

    Raises:
        ConfigError: for whatever does not fit, by name.
    """
    if not config.get("figures"):
        return None
    figures: Figures = build(config["figures"], "figures", Figures, data=data, evaluation=evaluation)
    with naming("figures"):
        figures.check(model)
    return figures


def check_shares(data: ImageData, devices: int) -> None:
    """Refuse batches that several devices cannot share.

    Raises:
        ConfigError: for a training batch of which they would have unequal parts, or a batch of evaluation with fewer
            images than devices.
    """
    if data.batch_size % devices:
        allowed = f"must be a multiple of trainer.devices={devices}, which share each batch"
        raise ConfigError.setting("data.batch_size", data.batch_size, allowed)
    if data.smallest_eval_batch < devices:
        allowed = f"leaves batches of {data.smallest_eval_batch} images for trainer.devices={devices}; take more"
        raise ConfigError.setting("data.eval_batch_size", data.eval_batch_size, allowed)


def snake_case(name: str) -> str:
    """``ContinuousBernoulli`` as ``continuous_bernoulli``, the way it is written in a config."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def check_fit(data: ImageData, model: VAE) -> None:
    """Refuse parts that cannot work together.

    Raises:
        ConfigError: naming the part, its value and what is allowed.
    """
    (low, high), support = data.value_range, model.likelihood.support
    if support and (low < support[0] or high > support[1]):
        option = snake_case(type(model.likelihood).__name__)
        allowed = (
            f"needs pixels in [{support[0]:g}, {support[1]:g}], the data reach from {low:g} to {high:g}; "
            "use likelihood=gaussian or rescale the data"
        )
        raise ConfigError.setting("likelihood", option, allowed)
    with naming("likelihood"):
        model.likelihood.check(data.training_sample())
    if data.batch_size < model.min_batch_size:
        allowed = f"{type(model).__name__} needs at least {model.min_batch_size} images in a batch"
        raise ConfigError.setting("data.batch_size", data.batch_size, allowed)
    if data.smallest_eval_batch < model.min_eval_batch_size:
        allowed = f"{type(model).__name__} needs at least {model.min_eval_batch_size} images in each batch"
        raise ConfigError.setting("data.eval_batch_size", data.eval_batch_size, allowed)
    check_networks(data, model)


def check_networks(data: ImageData, model: VAE) -> None:
    """Refuse an encoder and a decoder that fail on the data, or answer in another shape.

    Raises:
        ConfigError: naming the part and what is wrong with it.
    """
    images = next(data.eval_stream("val")).x[:2]
    expected = (len(images), model.latent_dim)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        try:
            answer = model.encoder(images)
            shapes = [tuple(part.shape) for part in answer]
        except Exception as error:  # a person's own network may raise anything
            raise ConfigError.part("encoder", f"fails on images {tuple(images.shape)}: {one_line(error)}") from error
        if shapes != [expected, expected]:
            raise ConfigError.part("encoder", f"gives {shapes}; must be two tensors {expected}, location and raw scale")
        try:
            shape = tuple(model.predict(answer[0], images).shape)
        except Exception as error:
            raise ConfigError.part("decoder", f"fails on latents {expected}: {one_line(error)}") from error
        wanted = (len(images), len(model.likelihood.parents(images.shape[1])), *images.shape[2:])
        if shape != wanted:
            raise ConfigError.part("decoder", f"gives {shape}; must be {wanted}")
    model.train(was_training)
