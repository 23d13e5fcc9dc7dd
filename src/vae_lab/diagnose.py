"""``python -m vae_lab.diagnose run=DIR|latest``: from the figures of a run to the cause of its collapse."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from vae_lab.checks import ArgumentError
from vae_lab.console import CommandLine, command
from vae_lab.diagnosis.diagnosis import diagnose
from vae_lab.diagnosis.elsewhere import OPTIONS, Elsewhere
from vae_lab.report.commands import after_diagnosis, arguments_of
from vae_lab.report.diagnosis import show_diagnosis, show_examination
from vae_lab.runs.find import find_run
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
  data...     as for vae_lab: then β is compared with the spectrum of your own data"""


def diagnose_elsewhere(options: Mapping[str, str], config_dir: Path | None) -> None:
    """Print the diagnosis of a training elsewhere.

    Raises:
        ValueError: for an option that cannot be.
    """
    told = Elsewhere.of({key: value for key, value in options.items() if key in OPTIONS})
    eigenvalues: list[float] = []
    if data := [f"{key}={value}" for key, value in options.items() if key not in OPTIONS]:
        from vae_lab.training.prediction import predict

        eigenvalues = predict([*data, *told.overrides], config_dir).eigenvalues.tolist()
    show_diagnosis(diagnose(told.evidence(eigenvalues)), None)


def diagnose_run(name: str, shared: Sequence[str]) -> None:
    """Print the diagnosis of a run, and the next useful command with the options that a person gave.

    Raises:
        ValueError: when there is no such run, or it neither finished nor diverged.
    """
    run = Run.read(find_run(name))
    if run.diagnosis is None:
        problem = run.problem or run.ending
        raise ArgumentError("run", run.directory, f"{problem}; there is nothing to diagnose")
    print(f"run: {run.directory}")
    if examination := run.result.examination:
        show_examination(run.diagnosis, examination.advice)
        return
    show_diagnosis(run.diagnosis, arguments_of(run.directory))
    if following := after_diagnosis(run, shared):
        print(f"next: {following}")


def main(line: CommandLine) -> None:
    """The command."""
    pairs = [argument.partition("=") for argument in line.overrides]
    options = {key: value for key, equals, value in pairs if equals}
    if strange := [key for key, equals, _ in pairs if not equals]:
        raise ValueError(f"{strange[0]}: must be KEY=VALUE; see python -m vae_lab.diagnose --help")
    if options.keys() & set(OPTIONS) and "run" not in options:
        diagnose_elsewhere(options, line.config_dir)
        return
    if unknown := [key for key in options if key != "run"]:
        raise ValueError(f"{unknown[0]}: no such option beside run; see python -m vae_lab.diagnose --help")
    diagnose_run(options.get("run", "latest"), line.shared)


if __name__ == "__main__":
    command(main, USAGE)
