"""The batches of a search: settings are suggested, run by any launcher, and judged by what their runs have recorded.

Optuna's storage knows what was suggested, the run directories what came of it. Whatever interrupts a search, the two
together say how it goes on: with the settings, in the order and with the figures of a search that was left alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from vae_lab.checks import ConfigError, did_you_mean
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result
from vae_lab.runs.search import Search, figure_named
from vae_lab.runs.state import ENDED
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.context import SweepContext, directory_name, placed
from vae_lab.sweep.directory import check_names, to_do
from vae_lab.sweep.launching import Batch
from vae_lab.sweep.optuna_plan import KEY
from vae_lab.sweep.optuna_space import Space, Value
from vae_lab.sweep.optuna_study import RUNS, STORAGE, ask, failed, repeat, running, suggested, tell

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class Batches:
    """The batches of a search. Each is suggested once the figures of the one before are there.

    Args:
        context: what Hydra gives.
        space: where it searches.
        search: how.
        study: of Optuna.
    """

    def __init__(self, context: SweepContext, space: Space, search: Search, study: "Study") -> None:
        self.context, self.space, self.search, self.study = context, space, search, study
        self.directory = context.directory
        self.jobs: dict[str, list[str]] = {}  # the overrides of each run by the name of its directory
        self.configs: dict[str, DictConfig] = {}  # that they compose
        self.names: dict[tuple[Value, ...], list[str]] = {}  # of the runs of each setting

    def __iter__(self) -> Iterator[Batch]:
        for trial in failed(self.study):
            if self.may_go_on(self.runs_of(trial)):
                repeat(self.study, trial)
        while trials := self.suggest():
            runs = {trial.number: self.runs_of(trial) for trial in trials}
            names = list(dict.fromkeys(name for each in runs.values() for name in each))
            left = self.left_to_do(names)
            self.note_jobs(names)
            if left:
                yield left, [self.jobs[name] for name in left]
            for number, each in runs.items():
                tell(self.study, number, self.figures(each))

    def suggest(self) -> list["FrozenTrial"]:
        """The trials of a batch: those that a stopped search has left open, filled up with new ones."""
        done = suggested(self.study)
        full = done % self.search.at_once == 0 and bool(running(self.study))
        room = 0 if full else self.search.at_once - done % self.search.at_once
        for _ in range(min(room, self.search.trials - done)):
            ask(self.study, self.search, self.space.dimensions, self.name_runs)
        return running(self.study)

    def name_runs(self, point: Mapping[str, Value]) -> list[str]:
        """The names of a setting's runs; none where it cannot be composed, which is said."""
        setting = tuple(point[key] for key in self.space.dimensions)
        if setting not in self.names:
            try:
                self.names[setting] = self.compose(point)
            except ConfigError as error:
                print(f"a trial failed: {error}", flush=True)
                self.names[setting] = []
        return self.names[setting]

    def compose(self, point: Mapping[str, Value]) -> list[str]:
        """Compose the runs of a setting, and keep their jobs and configs by their names, which are returned.

        Raises:
            ConfigError: for what does not fit.
        """
        keys = self.space.keys
        jobs = [self.context.named(job, keys) for job in self.space.jobs(point, self.context.known_keys)]
        configs = [self.context.compose(job) for job in jobs]
        names = [directory_name(config, 0) for config in configs]
        check_names(self.directory, names)
        self.jobs |= {name: placed(job, name) for name, job in zip(names, jobs, strict=True)}
        self.configs |= zip(names, configs, strict=True)
        return names

    def runs_of(self, trial: "FrozenTrial") -> list[str]:
        """The names of a trial's runs.

        Raises:
            ConfigError: where the storage has noted others.
        """
        names = self.name_runs(trial.params)
        if names != trial.user_attrs[RUNS]:
            raise ConfigError(f"{self.directory / STORAGE}: trial {trial.number} has other runs than its setting")
        return names

    def left_to_do(self, names: Sequence[str]) -> list[str]:
        """The runs that have not ended; a setting that is suggested again has, and is not run twice.

        Raises:
            ConfigError: for a run directory that holds links, other settings than its job, or a record of another
                vae_lab, and for one that another process is at.
        """
        return [names[i] for i in to_do(self.directory, names, [self.configs[name] for name in names])]

    def figures(self, names: Sequence[str]) -> list[float] | None:
        """The objectives of a trial by what its runs have recorded; None where one failed, or diverged.

        Raises:
            ConfigError: for an objective that a finished run does not have.
        """
        results = self.results(names)
        for result in results:
            check_objectives(self.search, result)
        return self.search.figures(results) if len(results) == len(names) else None

    def results(self, names: Sequence[str]) -> list[Result]:
        """The records of runs that can be read."""
        found = []
        for name in names:
            with suppress(RecordError):
                found.append(Result.read(self.directory / name))
        return found

    def may_go_on(self, names: Sequence[str]) -> bool:
        """Whether a trial that failed may still come to an end: its runs neither diverged nor lack a figure."""
        results = self.results(names)
        ended = len(results) == len(names) and all(result.status in ENDED for result in results)
        return not ended or self.search.figures(results) is not None

    def note_jobs(self, names: Sequence[str]) -> None:
        """Add jobs to the record of the sweep."""
        record = SweepRecord.read(self.directory)
        replace(record, jobs=list(dict.fromkeys([*record.jobs, *names]))).write(self.directory)


def check_objectives(search: Search, result: Result) -> None:
    """Refuse an objective that a finished run does not have.

    Raises:
        ConfigError: naming it, and the figure that was perhaps meant.
    """
    if result.status != "finished":
        return
    scalars = [name for name, value in result.metrics.items() if not isinstance(value, list)]
    for name in search.objectives:
        if name not in result.metrics and figure_named(result, name) is None:
            problem = f"is no figure of result.json{did_you_mean(name, scalars)}; there are {', '.join(scalars)}"
            raise ConfigError.setting(f"{KEY}.objectives", name, problem)
