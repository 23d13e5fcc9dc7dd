"""Is it the objective, or the optimiser? A collapsed run trained again by continuation, several seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_lab.checks import ArgumentError
from vae_lab.config.compose import compose_config
from vae_lab.config.names import key_and_text
from vae_lab.console import read_command_line
from vae_lab.diagnosis.continuation import MARGIN, Start
from vae_lab.diagnosis.verdict import FULL_MI
from vae_lab.retraining.again import Say, named, original, seeds_of, tell, train_again, with_change
from vae_lab.runs.curves import Curve
from vae_lab.runs.probe import Probe
from vae_lab.runs.result import Kind, Objective
from vae_lab.runs.run import Run

FEWEST = 3  # seeds: fewer prove nothing
FIRST = 0.05  # of the run's own β: where a continuation begins at most
BELOW = 0.1  # of the linear limit: likewise, so that z pays
FREE = 3.0  # nats per image that are free at first, where a continuation begins with free bits
FOLDER = "probe"
INFORMATION = "val/mutual_information"


def probe(run: Run, seeds: int = FEWEST, first: Start = "beta", say: Say = tell) -> Probe:
    """Train a collapsed run again by continuation, keep what that shows as ``probe.json`` in its directory.

    The first half of the run's steps leads from a small β, or from free bits, to exactly the run's own objective; the
    second half is that. The seeds are the run's own and those that follow it.

    Args:
        run: that has collapsed.
        seeds: how many, at least 3.
        first: ``beta`` or ``free_bits``.
        say: takes a line about each seed.

    Raises:
        ValueError: for a run of which nothing is to be asked, and whatever training it again raises.
    """
    check(run)
    change = continuation(run, first)
    arguments = with_change(run.directory, original(run), change)
    folder = run.directory / FOLDER / named(change)
    found = [
        continued(folder / f"seed={seed}", arguments, seed, f"[{i + 1}/{seeds}]", say)
        for i, seed in enumerate(seeds_of(run, seeds))
    ]
    shown = Probe(
        steps=run.result.steps,
        first=first,
        loss=loss_of(run),
        seeds=[each.result.seed for each in found],
        losses=[loss_of(each) for each in found],
        verdicts=[verdict_of(each, loss_of(run)) for each in found],
        halfway=[halfway(each, run.result.steps // 2) for each in found],
        change={key.lstrip("+"): value for key, value in change.items() if not key.startswith("trainer.")},
    )
    shown.write(run.directory)
    return shown


def check(run: Run) -> None:
    """Refuse a run of which nothing is to be asked.

    Raises:
        ArgumentError: when it uses z, or its loss is not that of its end, or no weighted rate.
    """
    objective, problem = run.result.objective, ""
    if not run.collapsed:
        problem = "did not collapse, so there is nothing to ask: its decoder uses z"
    elif objective is None or objective.kl_weight <= 0:
        problem = "has no weight of the KL at its end"
    elif objective.schedule_end > run.result.steps:
        problem = f"ended before its schedule, at step {objective.schedule_end}; train it to the end first"
    elif objective.price != 1:
        problem = "has a loss that holds the rate by capacity or a controller, which no continuation leads to"
    if problem:
        raise ArgumentError("run", run.directory, problem)


def continuation(run: Run, first: Start) -> dict[str, Any]:
    """The overrides that make a continuation of a run."""
    objective, half = run.result.objective, max(run.result.steps // 2, 1)
    assert objective is not None
    if first == "free_bits":
        change = {"free_bits": "shrinking", "free_bits.epsilon": FREE, "free_bits.steps": half}
        return {**change, **frequent_validations(run, half)}
    start, stop = smallest_weight(objective), objective.kl_weight
    change = {"annealing": "exponential", "annealing.start": start, "annealing.stop": stop, "annealing.steps": half}
    return {**change, **frequent_validations(run, half)}


def smallest_weight(objective: Objective) -> float:
    """The KL weight with which a continuation begins: far below the run's own, and below the linear limit.

    Example:
        >>> known = {"model": "VAE", "likelihood": "Bernoulli", "pixels": 64}
        >>> smallest_weight(Objective(**known, effective_beta=4.0, spectrum=[2.0]))
        0.05
    """
    limit = objective.spectrum[0] if objective.spectrum else 1.0
    part = min(FIRST, BELOW * max(limit, 1e-6) / objective.effective_beta)
    return float(f"{part * objective.kl_weight:.2g}")


def frequent_validations(run: Run, half: int) -> dict[str, int]:
    """The overrides with which a run validates in its first half, where it would not."""
    line = read_command_line(original(run))
    every = compose_config(line.overrides, line.config_dir)["trainer"]["val_check_interval"]
    return {"trainer.val_check_interval": half} if every is not None and every > half else {}


def continued(directory: Path, arguments: Sequence[str], seed: int, label: str, say: Say) -> Run:
    """One continuation.

    Raises:
        ArgumentError: when it does not finish.
    """
    own = [argument for argument in arguments if key_and_text(argument)[0] != "seed"]
    again = train_again([*own, f"seed={seed}"], directory, f"{label} seed={seed}", say)
    if not again.finished:
        raise ArgumentError("run", directory, f"{again.ending}; the probe needs each of its seeds")
    return again


def loss_of(run: Run) -> float:
    """The run's own loss on the test split, nats per image."""
    loss = run.figure("loss")
    if loss is None:
        raise ArgumentError("run", run.directory, "has no test/loss, which a probe compares")
    return loss


def verdict_of(again: Run, loss: float) -> Kind:
    """The verdict on a continuation at its end.

    Its figures are those of its best checkpoint, which may be an early one with a remnant of z that the end no longer
    has. Where that buys nothing against the run's loss, the end counts.
    """
    information = again.curves.get(INFORMATION)
    gone = information is not None and information.values[-1] < FULL_MI and loss_of(again) > loss - MARGIN
    return "full" if gone else again.result.verdict or "full"


def halfway(run: Run, half: int) -> float:
    """The largest mutual information of a run's validations up to a step, nats; 0 where none is known."""
    steps, values = run.curves.get(INFORMATION, Curve([], []))
    return max((value for step, value in zip(steps, values, strict=True) if step <= half), default=0.0)


def advice(shown: Probe) -> str:
    """What the outcome means, in a sentence."""
    return {
        "trapped": "It is the optimiser: training fell into the collapsed state, and this loss has a better end.",
        "asked for": "It is the objective: it asks for collapse on these data. Only another one changes that, "
        "such as free bits, δ, a smaller β, another likelihood or decoder.",
        "undecided": "Nothing is decided: take more seeds, or train for longer.",
    }[shown.continuation.outcome]
