"""What a reader must know before believing a table, and which runs did not finish."""

from collections.abc import Sequence

from vae_lab.checks import printable
from vae_lab.report.effects import ENOUGH_SEEDS
from vae_lab.runs.run import STOPPED, Run
from vae_lab.runs.setting import Setting


def cautions(finished: Sequence[Run], settings: Sequence[Setting]) -> list[str]:
    """Whatever applies to these runs."""
    found = (
        few_seeds(finished, settings),
        held_rates(finished),
        unused_dimensions(finished),
        unfinished_training(finished),
        unknown_convergence(finished),
        linear_prediction(finished),
        mixed_scores(finished),
        unequal_lengths(finished),
    )
    return [words for words in found if words]


def few_seeds(finished: Sequence[Run], settings: Sequence[Setting]) -> str:
    """Too few seeds to compare settings."""
    least = min(len(setting.finished) for setting in settings if setting.finished)
    elsewhere = all(run.result.examination for run in finished)  # where a seed is that of the figures' noise only
    if elsewhere or len(finished) == 1 or least >= ENOUGH_SEEDS:
        return ""
    seeds = "One seed per setting cannot" if least == 1 else f"{least} seeds per setting cannot"
    return f"{seeds} tell the effect of a setting from luck. Add seed=0,1,2 before you draw conclusions."


def held_rates(finished: Sequence[Run]) -> str:
    """Rates that say nothing about what z carries."""
    held = sum(run.held_at_floor for run in finished)
    if not held:
        return ""
    which = "The rate is" if len(finished) == 1 else f"In {held} of {len(finished)} runs the rate is"
    return f"{which} held at a floor by the method. Look at MI and shuffle gap there, not at the KL."


def unused_dimensions(finished: Sequence[Run]) -> str:
    """What unused dimensions mean."""
    if not any(run.result.verdict == "partial" for run in finished):
        return ""
    return "An unused dimension is not a fault by itself: the data may not need it."


def unfinished_training(finished: Sequence[Run]) -> str:
    """Runs that ended too early."""
    unfinished = sum(run.result.unfinished is True for run in finished)
    if not unfinished:
        return ""
    which = "The run was" if len(finished) == 1 else f"{unfinished} of {len(finished)} runs were"
    return f"{which} still improving at the end. Raise trainer.max_steps before you compare."


def unknown_convergence(finished: Sequence[Run]) -> str:
    """Runs of which that cannot be told."""
    unknown = sum(run.result.unfinished is None for run in finished)
    if not unknown:
        return ""
    which = "the run" if len(finished) == 1 else f"{unknown} of {len(finished)} runs"
    return f"Whether {which} converged is unknown: too few validations at the final coefficients."


def linear_prediction(finished: Sequence[Run]) -> str:
    """What the column ``linear KL`` is."""
    if all(run.result.linear_rate is None for run in finished):
        return ""
    return "linear KL is the rate of a linear VAE on these data. It is a prediction, not a bound."


GONE = " (the process is gone)"
SCORES = {"mass": "probabilities", "density": "densities", "cross-entropy": "cross-entropies of grey values"}


def mixed_scores(finished: Sequence[Run]) -> str:
    """Figures of different kinds in one column."""
    kinds: dict[str, dict[str, None]] = {}
    for objective in (run.result.objective for run in finished):
        if objective is not None and objective.scores is not None:
            kinds.setdefault(SCORES[objective.scores], {})[objective.likelihood] = None
    if len(kinds) < 2:
        return ""
    named = [f"{kind} ({', '.join(likelihoods)})" for kind, likelihoods in kinds.items()]
    listed = f"{', '.join(named[:-1])} and {named[-1]}"
    return f"The columns ELBO and distortion mix {listed}. Compare them within one kind only."


def unequal_lengths(finished: Sequence[Run]) -> str:
    """Runs that were not trained for equally long."""
    if len({run.result.steps for run in finished}) == 1:
        return ""
    return "The runs differ in their number of steps. Equal epochs do not mean equal training."


def endings(runs: Sequence[Run]) -> list[str]:
    """The runs that diverged, failed, were killed or are still running, each with its reason; what cannot be read."""
    lines = []
    for status in ("diverged", "failed", STOPPED, "running"):
        some = [run for run in runs if run.status == status]
        if some:
            lines.append(f"{len(some)} {status}{GONE if status == STOPPED else ''}:")
            lines += [f"  {run.name}: {printable(run.reason)}" for run in some]
    return lines + [f"{run.name}: {run.problem}; no cause is looked for" for run in runs if run.problem]
