"""Weights & Biases."""

import os
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch.loggers import WandbLogger
from typing_extensions import override

from vae_lab.checks import ArgumentError, ConfigError, did_you_mean, flag
from vae_lab.runs.choices import choices_of
from vae_lab.runs.curves import read_curves
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.training.loggers.mirror import CHARTS, FIGURES, Mirror

BOUNDS = {
    "init_timeout": 20.0,
    "finish_timeout": 60.0,
}  # seconds that a server may take to answer, and to take the rest
MODE = "WANDB_MODE"  # the environment variable that overrules the config
ONLINE = ("online", "shared")  # modes that need an account
STEP = "trainer/global_step"  # Lightning's name for the step, the x axis of every curve
OPTIONS = "options"  # of the config groups: options.free_bits
FIXED = ("dir", "config", "settings", "mode", "name", "group", "id", "resume", "reinit")  # what is set here
COLLAPSE = {"none": "not collapsed", "partial": "partly", "full": "full"}  # "none" would read as missing


def mode_of(offline: bool) -> str:
    """wandb's mode: the one that a person set for the whole shell, or else as the config has it."""
    return os.environ.get(MODE) or ("offline" if offline else "online")


def settings() -> Any:
    """wandb's own settings: quiet, bounded in time as far as this version of wandb can, and a run for each logger.

    Otherwise wandb keeps one run for the whole process: one that stayed open would take the rows of the next job.
    """
    from wandb import Settings

    known = signature(Settings).parameters.keys() | getattr(Settings, "model_fields", {}).keys()
    bounds: dict[str, Any] = {name: seconds for name, seconds in BOUNDS.items() if name in known}
    return Settings(silent=True, console="off", reinit="create_new", **bounds)


def known_id(directory: Path) -> str | None:
    """wandb's id of a run that has begun before, from the name of its newest folder; None where there is none.

    The run goes on under it. Offline each start has a file of its own, and ``wandb sync`` makes one run of them.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     (Path(folder) / "wandb" / "offline-run-20261124_103121-k3x9q0vd").mkdir(parents=True)
        ...     known_id(Path(folder))
        'k3x9q0vd'
    """
    began = [name.rsplit("-", 2)[1:] for name in (folder.name for folder in directory.glob("wandb/*run-*-*"))]
    return max(began)[1] if began else None


def has_account() -> bool:
    """Whether wandb finds a key for its server; nobody is asked for one, and no server."""
    import wandb

    wandb.setup(settings=settings())  # or it says on the screen what it found
    if "prompt" in signature(wandb.login).parameters:
        return bool(wandb.login(prompt=False, verify=False))
    return bool(wandb.api.api_key)  # wandb before 0.31


class WandB(Mirror, WandbLogger):
    """Weights & Biases: one run per job, grouped by sweep, named by what was swept. Offline it needs no account.

    Its config holds all settings, which wandb shows under dotted names, ``model.beta``, and the option of each group,
    ``options.free_bits``. A run that is taken up again goes on as the same run there. A server that does not answer
    costs a bounded time once; from then on this process keeps its runs offline.
    """

    unreachable: ClassVar[str] = ""  # why this process has given up on the server

    def __init__(
        self,
        directory: Path,
        name: str,
        group: str,
        config: Mapping[str, Any],
        project: str = "vae_lab",
        offline: bool = True,
        **options: Any,
    ) -> None:
        self.check(project=project, offline=offline, **options)
        stored = {**config, OPTIONS: choices_of(directory)}  # nested: wandb cannot group by a key that has a dot itself
        fixed: dict[str, Any] = {
            "log_model": False,
            "config": stored,
            "settings": settings(),
            "id": known_id(directory),
        }
        super().__init__(name=name, save_dir=directory, project=project, group=group, **fixed, **options)
        self._wandb_init.pop("anonymous", None)  # wandb warns of it on the screen
        self.connect("offline" if WandB.unreachable else mode_of(offline))

    @classmethod
    @override
    def check(cls, **settings: Any) -> None:
        import wandb

        known = {
            name for call in (WandbLogger.__init__, wandb.init, cls.__init__) for name in signature(call).parameters
        } - {"self", "directory", "options", "kwargs", *FIXED}
        for name in settings.keys() - known:
            raise ArgumentError(name, settings[name], f"no such setting{did_you_mean(name, known)}")
        for name in settings.keys() & {"project", "entity"}:
            if not isinstance(settings[name], str) or not settings[name]:
                raise ArgumentError(name, settings[name], "must be a name")
        mode = mode_of(flag("offline", settings.get("offline", True)))
        if mode in ONLINE and not has_account():  # wandb would ask for one in the middle of a run
            needs = "needs an account: run wandb login first, or set WANDB_API_KEY"
            if os.environ.get(MODE):
                raise ConfigError.setting(MODE, mode, needs)
            raise ArgumentError("offline", "false", needs)

    def connect(self, mode: str) -> None:
        """Open the run; offline where the server does not answer in time."""
        import wandb

        self._wandb_init["mode"] = mode
        try:
            _ = self.experiment
        except wandb.errors.Error as error:
            if mode not in ONLINE:
                raise
            why = str(error).strip().splitlines() or ["no answer"]
            WandB.unreachable = f"wandb cannot reach its server ({why[0]})"
            self.trouble = (
                f"{WandB.unreachable}: runs are kept offline, and nothing is lost; "
                f"upload them later: wandb sync RUN/wandb/offline-run-*"
            )
            self.connect("offline")

    def publish(self, directory: Path, result: Result) -> None:
        """Give the run its result as summary, its verdict and cause as tags, and charts titled as people say it."""
        from wandb import plot

        run = self.experiment
        read = Run(directory, result)
        run.summary.update(summary(read))
        run.tags = (*(run.tags or ()), *tags(read))
        recorded = read_curves(directory)
        for title, names in CHARTS.items():
            lines = [(name, *recorded[name]) for name in names if name in recorded]
            if lines:
                keys, xs, ys = zip(*lines, strict=True)
                series = plot.line_series(list(xs), list(ys), keys=list(keys), title=title, xname="step")
                run.log({f"charts/{title}": series})

    @override
    def show_pictures(self, files: Mapping[str, Path], step: int) -> None:
        from wandb import Image, Video

        kinds = {".gif": Video}  # which takes a GIF file as it is
        media = {f"{FIGURES}/{name}": kinds.get(file.suffix.lower(), Image)(str(file)) for name, file in files.items()}
        self.experiment.log({**media, STEP: step})  # wandb counts rows by itself, so no step can be too late

    def close(self, failed: bool) -> None:
        """End the run with its job; wandb itself would end it with the process."""
        self.experiment.finish(exit_code=int(failed))


def summary(run: Run) -> dict[str, Any]:
    """A result as the summary of a run: how it ended, the cause of its collapse, and every scalar figure."""
    result = run.result
    ended = {name: getattr(result, name) for name in ("status", "reason", "unused", "rate_floor", "seconds", "steps")}
    words = {
        "collapse": COLLAPSE.get(result.verdict or "", result.status),
        "cause": run.cause.words if run.cause else "",
    }
    figures = {name: value for name, value in result.metrics.items() if not isinstance(value, list)}
    return {**ended, **words, **figures}


def tags(run: Run) -> list[str]:
    """What runs are picked out by: verdict, kind of cause, and what to beware of.

    Example:
        >>> tags(Run(Path(), Result(status="finished", seed=0, verdict="full", unfinished=True)))
        ['collapse: full', 'unfinished']
    """
    found = [f"collapse: {run.result.verdict}" if run.finished else run.result.status]
    if run.cause:
        found.append(f"cause: {run.cause.kind}")
    if run.held_at_floor:
        found.append("held at its floor")
    if run.result.unfinished:
        found.append("unfinished")
    return found
