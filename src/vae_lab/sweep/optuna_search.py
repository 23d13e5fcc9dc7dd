"""A search, batch by batch: settings are suggested, run by any launcher, and judged by what their runs have recorded.

Optuna's storage knows what was suggested, the run directories what came of it. Whatever interrupts a search, the two
together say how it goes on: with the settings, in the order and with the figures of a search that was left alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.vae_lab_grid_sweeper import directory_name
from hydra_plugins.vae_lab_local_launcher import LocalLauncher
from vae_lab.checks import ConfigError, choice, did_you_mean, integer
from vae_lab.config.build import naming
from vae_lab.config.compose import container
from vae_lab.config.names import as_written, key_and_text, quoted
from vae_lab.config.options import options_now
from vae_lab.runs.lock import holding
from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Result
from vae_lab.runs.search import Direction, Search, figure_named
from vae_lab.runs.state import ENDED
from vae_lab.runs.sweep import SweepRecord
from vae_lab.sweep.grid import MOST_JOBS, check_free, check_names, dotted, to_do
from vae_lab.sweep.launching import Batch, launch_batches, launcher_for
from vae_lab.sweep.optuna_space import Space, Value, read_space
from vae_lab.sweep.optuna_study import (
    RUNS,
    SAMPLERS,
    STORAGE,
    ask,
    check_space,
    failed,
    open_study,
    repeat,
    running,
    suggested,
    tell,
)
from vae_lab.sweep.record import has_ended, now
from vae_lab.sweep.slots import Machine, Places
from vae_lab.training.run import check
from vae_lab.training.trainer import quieten

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

KEY = "hydra.sweeper"
DEFAULT: Mapping[str, Direction] = {"test/elbo": "maximize"}
FIGURE = re.compile(r"\w+(?:/\w+)*")


@dataclass(frozen=True)
class Hydra:
    """What Hydra gives a sweeper.

    Args:
        config: of the sweep, Hydra's part included.
        context: with the loader of configs.
        launcher: as Hydra has made it.
        compose: the config of a job with these overrides.
        own_name: the overrides that name a job's directory by the keys that differ.
    """

    config: DictConfig
    context: HydraContext
    launcher: Launcher
    compose: Callable[[list[str]], DictConfig]
    own_name: Callable[[list[str], list[str]], list[str]]

    @property
    def directory(self) -> Path:
        return Path(str(self.config.hydra.sweep.dir))

    def known_keys(self, groups: tuple[str, ...]) -> set[str]:
        """The dotted keys of the config that some group choices compose."""
        return dotted(self.compose(list(groups)))


def search(
    hydra: Hydra,
    parser: OverridesParser,
    params: Mapping[str, Any],
    arguments: list[str],
    objectives: Mapping[str, Any],
    wanted: Mapping[str, Any],
    resume: bool,
) -> None:
    """Search, or go on with it.

    Args:
        hydra: what Hydra gives.
        parser: of overrides.
        params: the experiment's own space.
        arguments: the person's overrides, which replace its entries.
        objectives: ``{figure: direction}``; a direction of None takes one of the experiment's back.
        wanted: ``trials``, ``sampler``, ``seed`` and ``at_once``.
        resume: whether to go on with what lies in the directory.

    Raises:
        ConfigError: before anything runs, for what does not fit; later, for an objective that no run has.
        RunFailed: at the end, when runs failed.
    """
    quieten()
    space = read_space(parser, params, arguments)
    directory = hydra.directory
    if not resume:
        check_free(directory)
    config = try_corners(hydra, space)
    told = hydra.context, hydra.config, MOST_JOBS, config.trainer
    launcher = launcher_for(hydra.launcher, *told)
    plan = read_search(objectives, {**wanted, "seeds": max(len(space.seeds), 1)})
    before = SweepRecord.read(directory).search if resume else None
    if before is not None:
        plan = same_search(before, plan, typed_settings(hydra.config))
    elif plan.at_once < 1:
        plan = replace(plan, at_once=places(launcher, config))
    directory.mkdir(parents=True, exist_ok=True)
    with holding(directory), keeping_workers(launcher, plan.at_once * plan.seeds, config):
        if not resume:
            check_free(directory)  # nobody else can begin there from here on
        study = open_study(directory, plan)
        check_space(study, space.dimensions)
        note_begin(hydra, space, plan, arguments, resume)
        fail_fast = bool(hydra.config.hydra.sweeper.fail_fast)
        launch_batches(launcher, hydra.config, Batches(hydra, space, plan, study), fail_fast)


@contextmanager
def keeping_workers(launcher: Launcher, runs: int, config: DictConfig) -> Iterator[None]:
    """Keep the workers of the launcher ``local`` from batch to batch: a new one pays seconds of imports."""
    if not isinstance(launcher, LocalLauncher):
        yield
        return
    with launcher.working(runs, str(config.trainer.get("accelerator", "auto")), lasting=True):
        yield


class Batches:
    """The batches of a search. Each is suggested once the figures of the one before are there.

    Args:
        hydra: what Hydra gives.
        space: where it searches.
        search: how.
        study: of Optuna.
    """

    def __init__(self, hydra: Hydra, space: Space, search: Search, study: "Study") -> None:
        self.hydra, self.space, self.search, self.study = hydra, space, search, study
        self.directory = hydra.directory
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
        jobs = [[*job, *self.hydra.own_name(job, keys)] for job in self.space.jobs(point, self.hydra.known_keys)]
        configs = [self.hydra.compose(job) for job in jobs]
        names = [directory_name(config, 0) for config in configs]
        check_names(self.directory, names)
        place = "hydra.sweep.subdir="  # said outright: no number of a job stays the same
        self.jobs |= {name: [*job, f"{place}{quoted(name)}"] for name, job in zip(names, jobs, strict=True)}
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


def try_corners(hydra: Hydra, space: Space) -> DictConfig:
    """Build each choice and both ends of each interval once; returns the config of the first.

    Raises:
        ConfigError: for the first that does not fit.
    """
    configs = [hydra.compose(job) for point in space.corners() for job in space.jobs(point, hydra.known_keys)[:1]]
    for config in configs:
        check(container(config))
    return configs[0]


def read_search(objectives: Mapping[str, Any], wanted: Mapping[str, Any]) -> Search:
    """The search that a person wants; ``at_once`` is 0 where it is left to the machine.

    Raises:
        ConfigError: for a setting that cannot be.
    """
    with naming(KEY):
        chosen = {name: direction for name, direction in objectives.items() if direction is not None} or dict(DEFAULT)
        for name, direction in chosen.items():
            choice(f"objectives.{name}", direction, get_args(Direction))
            if not FIGURE.fullmatch(name):
                raise ConfigError.setting(f"{KEY}.objectives", name, "must be the name of a figure, such as test/elbo")
        choice("sampler", wanted["sampler"], SAMPLERS)
        integer("trials", wanted["trials"], high=MOST_JOBS)
        integer("seed", wanted["seed"], low=0)
        at_once = 0 if wanted["at_once"] is None else integer("at_once", wanted["at_once"])
    return Search(objectives=chosen, **{**wanted, "at_once": at_once})


def typed_settings(config: DictConfig) -> list[str]:
    """The settings of the sweeper that stand on the command line."""
    keys = [key_and_text(override)[0] for override in as_written(config.hydra.overrides.hydra)]
    return [key.removeprefix(f"{KEY}.").partition(".")[0] for key in keys if key.startswith(f"{KEY}.")]


def same_search(before: Search, now_wanted: Search, typed: Sequence[str]) -> Search:
    """The search that goes on: as it was recorded, but for the number of its trials where one is typed.

    Raises:
        ConfigError: where something else is typed that differs.
    """
    for name in ("objectives", "sampler", "seed", "at_once"):
        then, later = getattr(before, name), getattr(now_wanted, name)
        if name in typed and later != then:
            raise ConfigError.setting(f"{KEY}.{name}", later, f"was {then} when the search began, which keeps it")
    settings = {field.name: getattr(before, field.name) for field in fields(Search) if field.name != "objectives"}
    kept = read_search(before.objectives, settings)  # what is recorded is checked like what is typed
    return replace(kept, trials=now_wanted.trials if "trials" in typed else before.trials)


def places(launcher: Launcher, config: DictConfig) -> int:
    """How many jobs a launcher of this machine runs side by side.

    Raises:
        ConfigError: for a launcher of a cluster.
    """
    if isinstance(launcher, BasicLauncher):
        return 1
    if not isinstance(launcher, LocalLauncher):
        raise ConfigError.part(f"{KEY}.at_once", "must be given with this launcher: how many runs go side by side")
    devices: Any = launcher.devices
    held = Places(devices, launcher.jobs_per_device, launcher.devices_per_job)
    with naming("hydra.launcher"):
        return len(Machine.this(str(config.trainer.get("accelerator", "auto"))).slots(MOST_JOBS, held))


def note_begin(hydra: Hydra, space: Space, plan: Search, arguments: Sequence[str], resume: bool) -> None:
    """Write, or take up, the record of the sweep, and announce the search."""
    config, directory = hydra.config, hydra.directory
    if resume:
        record = SweepRecord.read(directory)
        ended = sum(has_ended(directory / job) for job in record.jobs)
        replace(record, ended=None, resumed=now().isoformat(), skipped=ended, search=plan).write(directory)
        print(f"search in {directory}: {ended} runs have ended and are kept; {plan.trials} trials in all", flush=True)
        return
    OmegaConf.save(config, directory / "multirun.yaml")
    typed = [o for o in as_written(config.hydra.overrides.hydra) if not o.startswith("hydra.mode=")]
    record = SweepRecord(
        swept=space.keys,
        shared=list(space.fixed),
        arguments=[*options_now(config.hydra), "-m", *typed, *arguments],
        started=now().isoformat(),
        jobs=[],
        search=plan,
    )
    record.write(directory)
    print(f"search in {directory}: {describe(plan)}, over {', '.join(space.keys)}", flush=True)


def describe(plan: Search) -> str:
    """A search in words.

    Example:
        >>> describe(Search(objectives={"test/elbo": "maximize"}, trials=40, at_once=2))
        '40 trials by tpe, 2 at once, to maximize test/elbo'
    """
    aims = " and ".join(f"{direction} {name}" for name, direction in plan.objectives.items())
    each = f", {plan.seeds} seeds each" if plan.seeds > 1 else ""
    return f"{plan.trials} trials by {plan.sampler}, {plan.at_once} at once{each}, to {aims}"


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
