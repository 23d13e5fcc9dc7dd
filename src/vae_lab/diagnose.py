"""``python -m vae_lab.diagnose run=DIR|latest``: from the figures of a run to the cause of its collapse."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.config.build import allow_flags
from vae_lab.config.names import key_and_text
from vae_lab.console import CommandLine, command
from vae_lab.diagnosis.causes import Diagnosis, Evidence, diagnose
from vae_lab.report.table import show, words_table
from vae_lab.runs.directory import find_run, read_json
from vae_lab.runs.run import Run

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


def overrides_of(directory: Path) -> list[str]:
    """The overrides that made a run, its experiment included, as Hydra recorded them."""
    recorded = directory / ".hydra" / "overrides.yaml"
    return [str(o) for o in OmegaConf.load(recorded)] if recorded.is_file() else []


def retry(overrides: Sequence[str], change: Mapping[str, Any]) -> str:
    """The command that runs the same again with a change."""
    dropped = {*change, *(["epochs"] if "trainer.max_steps" in change else [])}
    kept = [o for o in overrides if key_and_text(o)[0] not in dropped]
    if "model" in change:
        kept = [o for o in kept if not key_and_text(o)[0].startswith("model.") or "latent_dim" in o]
    many = ["-m"] if any("," in str(value) for value in change.values()) else []
    return shlex.join(
        ["python", "-m", "vae_lab", *allow_flags(), *many, *kept, *(f"{k}={v}" for k, v in change.items())]
    )


def evidence_elsewhere(given: Mapping[str, str], data: list[str], config_dir: Path | None = None) -> Evidence:
    """The evidence that a person gives of a training elsewhere, and what the data pay for where they are given.

    Raises:
        ValueError: for a figure that cannot be.
    """
    figures = {name: as_number(name, text) for name, text in given.items() if name not in ("reduction", "likelihood")}
    reduction = choice("reduction", given.get("reduction", "sum"), ("sum", "mean"))
    kind = choice("likelihood", given.get("likelihood", "bernoulli"), ("bernoulli", "gaussian"))
    if "variance" in figures and kind != "gaussian":
        raise ArgumentError("variance", given["variance"], "needs likelihood=gaussian")
    variance = figures.get("variance", 1.0) if kind == "gaussian" else None
    latent_dim = int(figures.get("model.latent_dim", 2))
    eigenvalues: list[float] = []
    pixels = int(figures["pixels"]) if "pixels" in figures else None
    if data:
        from vae_lab.training.prediction import predict

        pick = [f"likelihood={kind}", *([f"likelihood.variance={variance}"] if variance is not None else [])]
        prepared = predict([*data, *pick, f"model.latent_dim={latent_dim}"], config_dir)
        if pixels not in (None, len(prepared.eigenvalues)):
            raise ArgumentError("pixels", pixels, f"the data have {len(prepared.eigenvalues)}")
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
        assumed="likelihood" not in given or (kind == "gaussian" and "variance" not in given),
    )


def as_number(name: str, text: str) -> float:
    """A figure that must not be negative."""
    try:
        return number(name, float(text), low=0)
    except ValueError as error:
        raise ValueError(f"{name}={text}: must be a finite number >= 0") from error


def show_diagnosis(found: Diagnosis, overrides: Sequence[str] | None) -> None:
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
    if overrides is None or change:
        print(f"try: {ELSEWHERE[kind] if overrides is None else retry(overrides, change)}")


ELSEWHERE = {
    "none": "next: python -m vae_lab data=... trains and measures it here",
    "constant": "look at the images",
    "averaged": "sum the reconstruction loss over all pixels and channels, and average over the batch only",
    "variance": "learn σ², or divide the squared error by 2σ² with a σ² well below the data's largest variance",
    "beta": "a smaller β; python -m vae_lab.theory data=... shows what your data pay for",
    "unknown": "data=... computes what your data pay for; training it here measures more: python -m vae_lab data=...",
}


def main(line: CommandLine) -> None:
    """The command."""
    pairs = [argument.partition("=") for argument in line.overrides]
    options = {key: value for key, equals, value in pairs if equals}
    if strange := [key for key, equals, _ in pairs if not equals]:
        raise ValueError(f"{strange[0]}: must be KEY=VALUE; see python -m vae_lab.diagnose --help")
    if set(options) & set(KNOWN) and "run" not in options:
        data = [f"{key}={value}" for key, value in options.items() if key not in KNOWN]
        known = {key: value for key, value in options.items() if key in KNOWN}
        show_diagnosis(diagnose(evidence_elsewhere(known, data, line.config_dir)), None)
        return
    if unknown := [key for key in options if key != "run"]:
        raise ValueError(f"{unknown[0]}: no such option beside run; see python -m vae_lab.diagnose --help")
    directory = find_run(options.get("run", "latest"))
    result = read_json(directory / "result.json") or {}
    found = Run(directory, result).diagnosis
    if found is None:
        raise ArgumentError(
            "run", directory, f"{result.get('status')} ({result.get('reason')}); there is nothing to diagnose"
        )
    print(f"run: {directory}")
    show_diagnosis(found, overrides_of(directory))


if __name__ == "__main__":
    command(main, USAGE)
