"""``python -m vae_lab.diagnose run=DIR|latest``: from the figures of a run to the cause of its collapse."""

import shlex
import sys
from collections.abc import Mapping
from typing import Any

from vae_lab.checks import choice, number
from vae_lab.commands import command
from vae_lab.config import ADDED
from vae_lab.diagnosis import Diagnosis, Evidence, diagnose
from vae_lab.report.summary import Run
from vae_lab.report.table import show, words_table
from vae_lab.results import find_run, read_json

USAGE = """python -m vae_lab.diagnose run=DIR|latest
python -m vae_lab.diagnose model.beta=1 reduction=mean pixels=784 kl=0.0 [likelihood=gaussian variance=1]
                           [model.latent_dim=D] [data=npz data.path=FILE ...]

Says why the posterior collapsed, which figures say so, and what to try next.
  run         a run of vae_lab, or latest (the default)
For a training elsewhere, what you know of it:
  model.beta  β in the loss, reduction  sum or mean over the pixels, pixels  of an image (times channels)
  kl          the KL that you see, nats per image
  likelihood  bernoulli or gaussian, with its variance (1 is what mean squared error stands for, up to a factor 2)
  data...     as for vae_lab: then what your own data can pay for is computed"""

KNOWN = ("model.beta", "reduction", "pixels", "kl", "likelihood", "variance", "model.latent_dim")


def retry(overrides: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    """The command that runs the same again with a change."""
    kept = {key: value for key, value in overrides.items() if key not in change}
    if "model" in change:
        kept = {key: v for key, v in kept.items() if not key.startswith("model.") or key == "model.latent_dim"}
    settings = {("+" if key in ADDED else "") + key: value for key, value in {**kept, **change}.items()}
    many = ["-m"] if any("," in str(value) for value in change.values()) else []
    return shlex.join(["python", "-m", "vae_lab", *many, *(f"{key}={value}" for key, value in settings.items())])


def evidence_elsewhere(given: Mapping[str, str], data: list[str]) -> Evidence:
    """The evidence that a person gives of a training elsewhere, and what the data pay for where they are given.

    Raises:
        ValueError: for a figure that cannot be.
    """
    figures = {name: as_number(name, text) for name, text in given.items() if name not in ("reduction", "likelihood")}
    reduction = choice("reduction", given.get("reduction", "sum"), ("sum", "mean"))
    kind = choice("likelihood", given.get("likelihood", "bernoulli"), ("bernoulli", "gaussian"))
    variance = figures.get("variance", 1.0) if kind == "gaussian" else None
    latent_dim = int(figures.get("model.latent_dim", 2))
    eigenvalues: list[float] = []
    pixels = int(figures["pixels"]) if "pixels" in figures else None
    if data:
        from vae_lab.theory import prepare

        pick = [f"likelihood={kind}", *([f"likelihood.variance={variance}"] if variance is not None else [])]
        prepared = prepare([*data, *pick, f"model.latent_dim={latent_dim}"])
        eigenvalues, pixels = prepared.eigenvalues[:latent_dim].tolist(), len(prepared.eigenvalues)
    if reduction == "mean" and pixels is None:
        raise ValueError("pixels: must be given with reduction=mean, the number of pixels of an image times channels")
    if "kl" not in figures:
        raise ValueError("kl: must be given, the KL that you see, in nats per image")
    beta = figures.get("model.beta", 1.0)
    return Evidence(
        effective_beta=beta * (pixels or 1 if reduction == "mean" else 1),
        rate_weight=beta,
        distortion_reduction=reduction,
        pixels=pixels,
        likelihood=kind.capitalize(),
        variance=variance,
        spectrum=eigenvalues,
        rate=figures["kl"],
    )


def as_number(name: str, text: str) -> float:
    """A figure that must not be negative."""
    try:
        return number(name, float(text), low=0)
    except ValueError as error:
        raise ValueError(f"{name}={text}: must be a finite number >= 0") from error


def show_diagnosis(found: Diagnosis, overrides: Mapping[str, Any] | None) -> None:
    """Print checks, cause and the one thing to try."""
    show(words_table(found.checks))
    kind, words, certainty, change = found.cause
    if kind == "none":
        print(words)
        print(
            "next: python -m vae_lab +experiment=collapse_sweep -m"
            if overrides is not None
            else "next: nothing to mend"
        )
        return
    print(f"cause ({certainty}): {words}" if certainty else f"cause: {words}")
    print(f"try: {ELSEWHERE[kind] if overrides is None else retry(overrides, change)}")


ELSEWHERE = {
    "averaged": "sum the reconstruction loss over all pixels and channels, and average over the batch only",
    "variance": "learn σ², or divide the squared error by 2σ² with a σ² well below the data's largest variance",
    "beta": "a smaller β; python -m vae_lab.theory data=... shows what your data pay for",
    "unknown": "add data=... to compute what your data pay for, or train here: python -m vae_lab data=...",
}


def main() -> None:
    """The command."""
    pairs = [argument.partition("=") for argument in sys.argv[1:]]
    options = {key: value for key, equals, value in pairs if equals}
    if strange := [key for key, equals, _ in pairs if not equals]:
        raise ValueError(f"{strange[0]}: must be KEY=VALUE; see python -m vae_lab.diagnose --help")
    if set(options) & set(KNOWN) and "run" not in options:
        data = [f"{key}={value}" for key, value in options.items() if key not in KNOWN]
        known = {key: value for key, value in options.items() if key in KNOWN}
        show_diagnosis(diagnose(evidence_elsewhere(known, data)), None)
        return
    if unknown := [key for key in options if key != "run"]:
        raise ValueError(f"{unknown[0]}: no such option beside run; see python -m vae_lab.diagnose --help")
    directory = find_run(options.get("run", "latest"))
    result = read_json(directory / "result.json") or {}
    found = Run(directory, result).diagnosis
    if found is None:
        raise ValueError(
            f"run={directory}: {result.get('status')} ({result.get('reason')}); there is nothing to diagnose"
        )
    print(f"run: {directory}")
    show_diagnosis(found, result.get("overrides") or {})


if __name__ == "__main__":
    command(main, USAGE)
