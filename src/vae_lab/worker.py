"""``python -m vae_lab.worker``: the process in which the local launcher runs jobs. It is started by it, not by people.

It reads a job a line, or jobs to check, and answers each in a line. When nobody can give it jobs any more, it ends; a
job that is running then is ended as by a signal, so that its record says so.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict

from vae_lab.checks import ConfigError, Interrupted, RunFailed, one_line
from vae_lab.cli import job
from vae_lab.config.build import ALLOW_VARIABLE, allowing, inherited_modules
from vae_lab.config.loader import CONFIG, CheckedLoader
from vae_lab.console import read_command_line
from vae_lab.endings import at_once, environment, forgiving_output, signals
from vae_lab.sweep.checking import check_jobs
from vae_lab.sweep.pool import GRACE, MARK
from vae_lab.sweep.ray_tasks import Task


def listen(requests: SimpleQueue[str | None]) -> None:
    """Pass on what the launcher says; once it has gone, end this process: a signal ends the job that is running."""
    with open(0, "rb", buffering=0, closefd=False) as pipe:  # a buffered one would be locked when the process ends
        for line in pipe:
            requests.put(line.decode())
    requests.put(None)
    while True:  # in a daemon thread: it ends with the process, which has nothing else to do once its job has ended
        time.sleep(GRACE)
        os.kill(os.getpid(), signal.SIGTERM)


def config_of(loader: CheckedLoader, number: int, overrides: Sequence[str]) -> DictConfig:
    """The config of a job, Hydra's part included."""
    config = loader.load_configuration(CONFIG, list(overrides), RunMode.MULTIRUN, from_shell=False)
    with open_dict(config):
        config.hydra.job.num, config.hydra.job.id = number, str(number)
    return config


def perform(loader: CheckedLoader, number: int, overrides: Sequence[str]) -> str:
    """Run a job; returns what went wrong where the job could not say so itself."""
    try:
        config = config_of(loader, number, overrides)
        context = HydraContext(config_loader=loader, callbacks=Callbacks())
        done = run_job(job, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)
    except Exception as error:  # the next job may fare better
        return one_line(error)
    return problem_of(done)


def perform_afar(task: Task) -> tuple[str, str]:
    """Run a job in a process of Ray; returns what it printed, and what went wrong where it could not say so itself."""
    if Path(task.folder).is_dir():
        os.chdir(task.folder)
        sys.path.insert(0, task.folder)  # as ``python -m`` does
    loader = CheckedLoader(Path(task.config_dir) if task.config_dir else None)
    printed = StringIO()
    try:
        with redirect_stdout(printed), signals(), environment({ALLOW_VARIABLE: ",".join(task.modules)}):
            problem = perform(loader, task.job.number, task.job.overrides)
    except Interrupted:  # its record says so
        problem = ""
    return printed.getvalue(), problem


def problem_of(done: JobReturn) -> str:
    """What went wrong that the job has not said itself."""
    if done.status == JobStatus.FAILED and not isinstance(done._return_value, (ConfigError, RunFailed)):
        return one_line(done._return_value)
    return ""


def check(loader: CheckedLoader, jobs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Check jobs before one starts; returns what a person should know of each, or the problem of the first."""
    try:
        late = check_jobs(loader.load_configuration(CONFIG, list(job), RunMode.RUN) for job in jobs)
    except Interrupted:
        raise
    except Exception as error:
        return {"problem": str(error) if isinstance(error, ConfigError) else one_line(error)}
    return {"problem": "", "late": late}


def find_stacks(loader: CheckedLoader, jobs: Sequence[Mapping[str, Any]], **limits: Any) -> dict[str, Any]:
    """Find the stacks among jobs; returns them, and lines on the others."""
    from vae_lab.sweep import stacks

    try:
        plan = stacks.find_stacks([config_of(loader, **job) for job in jobs], **limits)
    except Exception as error:  # each job will say so itself
        return {"problem": one_line(error)}
    return {"problem": "", "stacks": plan.stacks, "lines": plan.lines()}


def perform_stack(loader: CheckedLoader, jobs: Sequence[Mapping[str, Any]], name: str, always: bool) -> str:
    """Train jobs together and run each from there; returns what went wrong where they could not say so themselves."""
    from vae_lab.sweep import stacks

    stacks.train_stack([config_of(loader, **job) for job in jobs], name, always)
    return "; ".join(filter(None, [perform(loader, **job) for job in jobs]))


def answer(loader: CheckedLoader, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the launcher asks for."""
    if "check" in request:
        return check(loader, request["check"])
    if "plan" in request:
        return find_stacks(loader, request["plan"], **{key: request[key] for key in ("most", "at_once", "sharing")})
    if "stack" in request:
        return {"problem": perform_stack(loader, request["stack"], request["name"], request["always"])}
    return {"problem": perform(loader, request["number"], request["overrides"])}


def work(loader: CheckedLoader) -> None:
    """Do what the launcher asks for until it has gone, or has nothing more to ask."""
    requests: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=listen, args=(requests,), daemon=True).start()
    import_module("vae_lab.training.run")  # takes seconds, in which there may be nothing to do yet
    while (line := requests.get()) is not None:
        print(f"{MARK}{json.dumps(answer(loader, json.loads(line)))}", flush=True)


def main() -> NoReturn:
    """The command."""
    line = read_command_line(sys.argv[1:])
    try:
        with forgiving_output(), signals(), allowing(inherited_modules()):
            work(CheckedLoader(line.config_dir))
    except Interrupted as interrupted:  # the launcher says so
        sys.exit(128 + interrupted.number)
    sys.exit()


if __name__ == "__main__":
    with at_once():
        main()
