"""The figures of an examined model: those of a run, by the metrics of a run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torchmetrics import Metric

from vae_lab.callbacks import Evaluation
from vae_lab.callbacks.evaluation import takes_reconstruction
from vae_lab.callbacks.nonfinite_loss import Diverged
from vae_lab.checks import ArgumentError, integer
from vae_lab.config.groups import CONF
from vae_lab.data import ImageData
from vae_lab.examination.advice import advice
from vae_lab.examination.likelihoods import OwnDistortion
from vae_lab.examination.model import Examined
from vae_lab.examination.told import Told
from vae_lab.runs.evidence import evidence_of
from vae_lab.runs.process import Process
from vae_lab.runs.result import Examination, Result
from vae_lab.runs.run import Run
from vae_lab.training.assembly import Parts
from vae_lab.training.fitting import tested
from vae_lab.training.measures import build_metrics
from vae_lab.training.record import now, versions

MOST_PAIRS = 20_000_000  # numbers of all latents that the mutual information is measured on: the bound of memory
HELD = 0.5  # nats of a KL for which the loss has no use, from which it is asked what holds it up
MOST_FITTED = 256  # latent dimensions that densities are fitted in

NOT_FINITE = "its ELBO is not finite: on some examples encode, decode or distortion gives NaN or infinite values"
UNTOLD = (
    "the KL of {:.2f} nats is more than this loss would pay for: if free bits or another method hold it up, say floor= "
    "in nats per example"
)


def metrics_of(model: Examined, data: ImageData, picture: bool, samples: int) -> dict[str, Metric]:
    """The metrics of a run's test split, as its config has them, for a model from outside."""
    nodes = OmegaConf.to_container(OmegaConf.load(CONF / "metrics" / "default.yaml"))
    assert isinstance(nodes, dict)
    chosen: dict[str, Any] = nodes["test"]
    latent, count = model.latent, len(data.splits["test"].images)
    for name in ("elbo", "collapse"):
        chosen[name]["latent_dim"] = latent.units
    for name in ("active_units", "shuffle_gap"):
        chosen[name]["units"] = latent.units if latent.spatial else None
    chosen["nll"]["k"] = integer("importance_samples", samples, low=0)
    if count * latent.size > MOST_PAIRS:
        chosen["mutual_information"]["images"] = max(MOST_PAIRS // latent.size, 2)
    if latent.size > MOST_FITTED:
        chosen["mutual_information_upper"] = None
    built = build_metrics(chosen, "test", model, data)
    return {name: metric for name, metric in built.items() if picture or not takes_reconstruction(metric)}


@torch.no_grad()
def measure(model: Examined, data: ImageData, told: Told, notes: list[str], picture: bool, samples: int) -> Result:
    """Measure it on the split ``test``, with the noise that a run has.

    Args:
        model: in evaluation mode.
        data: its examples.
        told: what the person said.
        notes: what was noticed.
        picture: whether examples can be looked at, and decoded.
        samples: importance samples of the NLL, 0 for none.

    Raises:
        ArgumentError: when the ELBO is not finite.
    """
    evaluation = Evaluation(val={}, test=metrics_of(model, data, picture, samples))
    began = now()
    evaluation.start("test", model)
    for i, batch in enumerate(data.eval_stream("test")):
        here = batch._replace(x=batch.x.to(model.device), indices=batch.indices.to(model.device))
        evaluation.update("test", model, model.test_step(here, i), here, i)
    figures = evaluation.compute("test")
    evaluation.figures = {f"test/{name}": value.tolist() for name, value in figures.items()}
    try:
        fields = tested(0, Parts(data, model, [], evaluation)) | {"latent_dim": model.latent.units, "batch_size": 0}
    except Diverged as error:
        raise ArgumentError("model", told.name, NOT_FINITE) from error
    result = Result(
        status="finished",
        seed=model.seed,
        overrides=settings(model, told),
        importance_samples=samples,
        versions=versions(),
        started=began,
        ended=now(),
        process=Process.this(),
        **fields,
    )
    assert result.objective is not None
    result = replace(
        result, objective=replace(result.objective, assumed=told.assumed, likelihood=likelihood(model, told))
    )
    return replace(result, examination=examination(result, model, told, notes))


def likelihood(model: Examined, told: Told) -> str:
    """What p(x|z) is called: a cost of a person's own as they name it."""
    own = isinstance(model.likelihood, OwnDistortion) and isinstance(told.likelihood, str)
    return str(told.likelihood) if own else type(model.likelihood).__name__


def settings(model: Examined, told: Told) -> dict[str, Any]:
    """What a table of several such models tells them apart by."""
    return {
        "examined": told.name,
        "likelihood": likelihood(model, told),
        "beta": told.beta,
        "reduction": model.distortion_reduction,
    }


def examination(result: Result, model: Examined, told: Told, notes: list[str]) -> Examination:
    """What there is to say of it beside its figures."""
    run = Run(Path(), result)
    assert run.diagnosis is not None
    if not told.floor and unasked(run):
        notes = [*notes, UNTOLD.format(run.figure("rate"))]
    return Examination(model=told.name, notes=notes, advice=advice(run.diagnosis.cause, result, told))


def unasked(run: Run) -> bool:
    """Whether there is a KL although z is not used, or the weight of the KL lies above the whole spectrum."""
    assert run.result.objective is not None
    starved = evidence_of(run.result, run.result.objective, {}).starved
    return (run.collapsed or starved) and (run.figure("rate") or 0.0) > HELD
