"""Optuna's part of a search: its storage in the sweep directory, what is suggested next, and what became of it.

The storage is a file of Optuna's own, of JSON lines. What is suggested depends on it and on the seed only, never on how
often the search was interrupted.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_lab.checks import ConfigError
from vae_lab.config.extras import check_installed
from vae_lab.files import put_whole
from vae_lab.runs.curves import whole_lines
from vae_lab.runs.search import Search
from vae_lab.sweep.optuna_space import Choice, Numbers, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

STORAGE = "optuna.log"  # in the sweep directory
RUNS = "runs"  # of a trial: the names of its run directories
AGAIN = "again"  # marks a trial that repeats one whose runs had failed
POPULATION = 20  # of NSGA-II
SAMPLERS = ("tpe", "nsga2", "random")
NameRuns = Callable[[Mapping[str, Value]], list[str]]


class Held:
    """The lock of a storage whose directory this process holds already."""

    def acquire(self) -> bool:
        """Nothing to wait for."""
        return True

    def release(self) -> None:
        """Nothing to give back."""


def open_study(sweep: Path, search: Search) -> "Study":
    """The study in a sweep directory, which this process must hold; a new one where there is none.

    Raises:
        ConfigError: where optuna is not installed, or its file cannot be read.
    """
    check_installed("hydra/sweeper", "optuna")
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = sweep / STORAGE
    if file.is_file() and (content := file.read_bytes()) != whole_lines(content):
        put_whole(file, whole_lines(content))  # a killed process left half a line
    try:
        backend = JournalFileBackend(str(file), lock_obj=Held())  # type: ignore[arg-type]
        directions = list(search.objectives.values())
        study = optuna.create_study(
            storage=JournalStorage(backend), study_name="search", directions=directions, load_if_exists=True
        )
    except (ValueError, KeyError, AssertionError, TypeError) as error:
        raise ConfigError(f"{file}: cannot be read as a storage of Optuna") from error
    drop_half_asked(study)
    return study


def drop_half_asked(study: "Study") -> None:
    """Give up the trials that a killed process had not finished suggesting; they are suggested again."""
    for trial in running(study, named=False):
        study.tell(trial.number, state=_state("FAIL"))


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def running(study: "Study", named: bool = True) -> list["FrozenTrial"]:
    """The trials of which Optuna does not know the end, with runs, or without."""
    found = study.get_trials(deepcopy=False, states=(_state("RUNNING"),))
    return [trial for trial in found if (RUNS in trial.user_attrs) == named]


def failed(study: "Study") -> list["FrozenTrial"]:
    """The trials that failed and have not been repeated."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(RUNS)]
    last = {tuple(trial.user_attrs[RUNS]): trial for trial in trials}
    return [trial for trial in last.values() if trial.state == _state("FAIL")]


def suggested(study: "Study") -> int:
    """How many settings have been suggested so far."""
    attributes = [trial.user_attrs for trial in study.get_trials(deepcopy=False)]
    return sum(RUNS in found and AGAIN not in found for found in attributes)


def ask(study: "Study", search: Search, dimensions: Mapping[str, Choice | Numbers], name_runs: NameRuns) -> None:
    """Suggest a setting, and note the run directories that it has."""
    study.sampler = sampler(search, suggested(study))
    trial = study.ask({key: distribution(values) for key, values in dimensions.items()})
    trial.set_user_attr(RUNS, name_runs(trial.params))


def sampler(search: Search, position: int) -> "BaseSampler":
    """What suggests the setting at a position: its random numbers are those of the seed and the position."""
    from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

    seed = int(np.random.SeedSequence((search.seed, position)).generate_state(1)[0])
    if search.sampler == "tpe":
        return TPESampler(seed=seed)
    return RandomSampler(seed) if search.sampler == "random" else NSGAIISampler(seed=seed, population_size=POPULATION)


def distribution(values: Choice | Numbers) -> "BaseDistribution":
    """A dimension as Optuna has it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choice):
        return CategoricalDistribution(values.texts)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log, step=int(values.step or 1))
    return FloatDistribution(values.low, values.high, log=values.log, step=values.step)


def tell(study: "Study", number: int, figures: Sequence[float] | None) -> None:
    """Say what became of a trial: its objectives, or None where it failed or diverged."""
    if figures is None:
        study.tell(number, state=_state("FAIL"))
    else:
        study.tell(number, list(figures))


def repeat(study: "Study", trial: "FrozenTrial") -> None:
    """Begin again a trial that failed, with its own runs, which go on."""
    from optuna.trial import create_trial

    again = create_trial(
        state=_state("RUNNING"),
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={RUNS: trial.user_attrs[RUNS], AGAIN: True},
    )
    study.add_trial(again)


def check_space(study: "Study", dimensions: Mapping[str, Choice | Numbers]) -> None:
    """Refuse to go on in another space.

    Raises:
        ConfigError: naming what differs.
    """
    now = {key: distribution(values) for key, values in dimensions.items()}
    for trial in study.get_trials(deepcopy=False):
        then = dict(trial.distributions)
        if RUNS in trial.user_attrs and then != now:
            keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
            raise ConfigError.part(keys[0], "was searched over otherwise when the search began; it keeps its space")
